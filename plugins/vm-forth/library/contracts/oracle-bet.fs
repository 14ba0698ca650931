\ dialect: paloalto
\ Oracle bet: the answer of an oracle says who gets everything.
\
\ First participant:  wins if the answer is not below the strike.
\ Second participant: wins otherwise.
\ Evidence:           none
\
\ The answer counts once it is final, if it is not too old, and if whoever answered put up enough for it. Otherwise the
\ contract fails, and nothing moves: try again later, before the lock's deadline.

\ The question, as the oracle knows it: bytes, or a number.
macro question x"0000000000000000000000000000000000000000000000000000000000000000" ;

\ The answer that the first participant bets on, or a higher one.
macro strike 100 ;

\ For how many ticks of the clock an answer is good, and what must have been put up for it.
macro freshness 1000 ;
macro security 1 ;

: total ( -- amount ) 0 balance 1 balance + ;
: require ( flag -- ) 0= if fail then ;

question freshness security oracle
1 = require
strike < if 0 0 else 0 total then
1
