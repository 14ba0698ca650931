\ dialect: paloalto
\ result: burn-pay-nonce
\ Hash lock: who knows the secret is paid.
\
\ First participant:  the one who is to be paid for the secret.
\ Second participant: the one who pays, and who gets everything back if the secret never shows: by a refund, from the
\                     lock's deadline on.
\ Evidence:           the secret, such as  s" open sesame"
\
\ Pays everything to the first participant. With another secret it fails, and nothing moves: a claim can be tried again.
\ Whoever sees the claim knows the secret from then on.

\ The SHA-256 of the secret. Choose the secret at random, of 32 bytes: a short one can be guessed.
macro commitment x"0000000000000000000000000000000000000000000000000000000000000000" ;

: total ( -- amount ) 0 balance 1 balance + ;
: require ( flag -- ) 0= if fail then ;

hash commitment = require
0 total 1
