\ dialect: paloalto
\ result: burn-pay-nonce
\ Oracle bet: the answer to a question of the chain's oracle says who gets everything.
\
\ First participant:  gets everything if the answer is the one below.
\ Second participant: gets everything if it is the opposite.
\ Evidence:           none; the claim names the question, so that the chain looks it up
\
\ The answer counts once it is final, if it is not too old, and if enough was put up for it. Until then the contract
\ fails, and nothing moves: try again later, before the lock's deadline. It fails, too, if the answer is INVALID or
\ TOO_EARLY, or none came: from the deadline on, whoever paid has everything back. So that has to lie well after the
\ answer is final, and a vote about it is over.

\ The question: its id in the oracle.
macro question x"0000000000000000000000000000000000000000000000000000000000000000" ;

\ The answer with which the first participant wins: 1 for YES, 0 for NO.
macro wins 1 ;

\ For how many ticks of the clock a final answer is good, and the deposit that the question must have.
macro freshness 10000000 ;
macro security 1 ;

: total ( -- amount ) 0 balance 1 balance + ;
: require ( flag -- ) 0= if fail then ;

question freshness security oracle
1 = require
dup 0 2 within require
wins = if 0 total else 0 0 then
1
