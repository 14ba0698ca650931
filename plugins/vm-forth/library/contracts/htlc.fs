\ dialect: paloalto
\ result: burn-pay-nonce
\ Hashed time lock (HTLC): the first participant is paid for a secret that comes in time, or the second takes it back.
\
\ Two of these with the same commitment, on two chains, are a swap: whoever takes the one shows the secret that opens
\ the other. Who chose the secret locks first, and that lock must expire well after the other.
\
\ First participant:  the one who is to be paid for the secret.
\ Second participant: the one who pays.
\ Evidence:           x"…" 1   the secret, of 32 bytes: everything to the first participant, before the time below
\                     0        everything back to the second, from that time on
\
\ The time is that of the block's slot, and not the chain's clock: a clock stands still while its chain does, and the
\ clocks of two chains drift apart. The lock's deadline, which is a clock, has to lie after it. Anything else fails, and
\ nothing moves.

\ The SHA-256 of the secret, which has 32 bytes, so that no chain takes a secret that another one does not.
macro commitment x"0000000000000000000000000000000000000000000000000000000000000000" ;

\ When it expires, in milliseconds since 1970: date +%s, and three digits. This is the beginning of 2026.
macro expires-ms 1767225600000 ;

: total ( -- amount ) 0 balance 1 balance + ;
: require ( flag -- ) 0= if fail then ;

if
  slot-time expires-ms < require
  dup len 32 = require
  hash commitment = require
  0 total 1
else
  slot-time expires-ms >= require
  0 0 1
then
