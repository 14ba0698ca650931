\ dialect: paloalto
\ result: burn-pay-nonce
\ Two of three: two of three keys say what each participant gets. The usual keys are those of both participants, and of
\ an arbiter, who is asked only if they do not agree.
\
\ First participant:  the one who gets what the keys say.
\ Second participant: gets the rest.
\ Evidence:           AMOUNT x"SIGNATURE" KEY x"SIGNATURE" KEY
\                     the amount for the first participant, and two signatures, each with the number of its key, 0 to 2,
\                     the lower number first
\
\ Signed is what message below says: it names the chain and the lock, so no signature serves another one. A key is 33
\ bytes: its scheme, 01 for Ed25519, and the public key. Without two good signatures it fails, and nothing moves.

macro key-0 x"010000000000000000000000000000000000000000000000000000000000000000" ;
macro key-1 x"010000000000000000000000000000000000000000000000000000000000000000" ;
macro key-2 x"010000000000000000000000000000000000000000000000000000000000000000" ;

: total ( -- amount ) 0 balance 1 balance + ;
: require ( flag -- ) 0= if fail then ;

\ The evidence, from the top of the stack.
value key-b value signature-b
value key-a value signature-a
value pay

: message ( -- bytes ) s" two-of-three" chain-id cat channel-id cat pay >b cat ;

: key ( number -- bytes )
  case
    0 of key-0 endof
    1 of key-1 endof
    2 of key-2 endof
    fail
  endcase ;

: check ( signature number -- ) key message swap verify-sig require ;

pay 0 total 1+ within require
key-a key-b < require \ so that they are two
signature-a key-a check
signature-b key-b check
0 pay 1
