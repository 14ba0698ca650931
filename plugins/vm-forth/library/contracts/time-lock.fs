\ dialect: paloalto
\ result: burn-pay-nonce
\ Time lock: an amount that can be had from a certain time on, and not before.
\
\ First participant:  the one who is to have it.
\ Second participant: usually the one who pays. The contract gives it nothing; but if nobody claims before the lock's
\                     deadline, the payer can have everything back. So that has to lie well after the time below.
\ Evidence:           none
\
\ Pays everything to the first participant. Before the time it fails, and nothing moves.

\ The clock of the chain from which on it can be had. See alto status for what it is now.
macro opens 1000 ;

: total ( -- amount ) 0 balance 1 balance + ;
: require ( flag -- ) 0= if fail then ;

clock opens >= require
0 total 1
