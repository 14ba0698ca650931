\ dialect: paloalto
\ result: delay-nonce-amount
\ Commit and reveal: both participants chose a secret and showed its hash, before either knew the other's. The secrets
\ together toss a fair coin. Who does not show its secret in time, loses.
\
\ First and second participant: the two who toss. One of them, or somebody else, locks what they play for.
\ Evidence:  x"SECRET-0" x"SECRET-1" 2   both secrets: the coin says who gets everything, at once
\            x"SECRET-0" 0               the first one's: everything to the first, if the other does not answer
\            x"SECRET-1" 1               the second one's: everything to the second, likewise
\
\ A claim with one secret waits for some ticks of the clock. As long as it waits, one with both takes its place, since
\ its nonce is higher. So nobody gains by keeping back what the other has shown. Settle a claim that has waited. The
\ lock's deadline has to lie further ahead than the wait, when the first secret is shown.

\ The SHA-256 of the secrets. Each has 32 bytes, chosen at random.
macro commitment-0 x"0000000000000000000000000000000000000000000000000000000000000000" ;
macro commitment-1 x"0000000000000000000000000000000000000000000000000000000000000000" ;

\ How many ticks of the clock the other has to answer.
macro wait 100 ;

: total ( -- amount ) 0 balance 1 balance + ;
: require ( flag -- ) 0= if fail then ;
: check ( secret commitment -- ) over len 32 = require swap hash = require ;
: coin ( secret-0 secret-1 -- 0|1 ) cat hash 31 1 slice b> 1 and ;

case
  0 of commitment-0 check wait 1 total endof
  1 of commitment-1 check wait 1 0 endof
  2 of 2dup commitment-1 check commitment-0 check coin if total else 0 then 0 swap 2 swap endof
  fail
endcase
