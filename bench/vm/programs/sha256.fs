\ SHA-256 (FIPS 180-4) in Forth, N times, each time of the 32 bytes that came before; at first they are 0. Words of 32 bits
\ lie in cells of 64. Left is the first 32 bits of the last hash.

\ Memory: 64 constants, 64 words of the schedule, the hash, and the eight working variables a to h, each in 8 bytes, and
\ all are named by their distance from the first. Instead of moving a to h in each round, the round has them one place
\ further down.
: const ( n -- addr ) mem + ;
: sched ( n -- addr ) mem + 512 + ;
: digest ( n -- addr ) mem + 1024 + ;
: var ( n -- addr ) 63 and mem + 1088 + ;

: m ( x -- x ) 4294967295 and ;
: twice ( x -- xx ) dup 32 lshift or ;
: s0 ( x -- x ) dup twice dup 7 rshift swap 18 rshift xor swap 3 rshift xor m ;
: s1 ( x -- x ) dup twice dup 17 rshift swap 19 rshift xor swap 10 rshift xor m ;
: t0 ( x -- x ) twice dup 2 rshift over 13 rshift xor swap 22 rshift xor m ;
: t1 ( x -- x ) twice dup 6 rshift over 11 rshift xor swap 25 rshift xor m ;
: choose ( e f g -- x ) swap over xor rot and xor ;
: majority ( a b c -- x ) >r 2dup and -rot xor r> and xor ;

: constants ( -- )
  $428a2f98 0 const ! $71374491 8 const ! $b5c0fbcf 16 const ! $e9b5dba5 24 const !
  $3956c25b 32 const ! $59f111f1 40 const ! $923f82a4 48 const ! $ab1c5ed5 56 const !
  $d807aa98 64 const ! $12835b01 72 const ! $243185be 80 const ! $550c7dc3 88 const !
  $72be5d74 96 const ! $80deb1fe 104 const ! $9bdc06a7 112 const ! $c19bf174 120 const !
  $e49b69c1 128 const ! $efbe4786 136 const ! $0fc19dc6 144 const ! $240ca1cc 152 const !
  $2de92c6f 160 const ! $4a7484aa 168 const ! $5cb0a9dc 176 const ! $76f988da 184 const !
  $983e5152 192 const ! $a831c66d 200 const ! $b00327c8 208 const ! $bf597fc7 216 const !
  $c6e00bf3 224 const ! $d5a79147 232 const ! $06ca6351 240 const ! $14292967 248 const !
  $27b70a85 256 const ! $2e1b2138 264 const ! $4d2c6dfc 272 const ! $53380d13 280 const !
  $650a7354 288 const ! $766a0abb 296 const ! $81c2c92e 304 const ! $92722c85 312 const !
  $a2bfe8a1 320 const ! $a81a664b 328 const ! $c24b8b70 336 const ! $c76c51a3 344 const !
  $d192e819 352 const ! $d6990624 360 const ! $f40e3585 368 const ! $106aa070 376 const !
  $19a4c116 384 const ! $1e376c08 392 const ! $2748774c 400 const ! $34b0bcb5 408 const !
  $391c0cb3 416 const ! $4ed8aa4a 424 const ! $5b9cca4f 432 const ! $682e6ff3 440 const !
  $748f82ee 448 const ! $78a5636f 456 const ! $84c87814 464 const ! $8cc70208 472 const !
  $90befffa 480 const ! $a4506ceb 488 const ! $bef9a3f7 496 const ! $c67178f2 504 const ! ;

: initial ( -- )
  $6a09e667 0 digest ! $bb67ae85 8 digest ! $3c6ef372 16 digest ! $a54ff53a 24 digest !
  $510e527f 32 digest ! $9b05688c 40 digest ! $1f83d9ab 48 digest ! $5be0cd19 56 digest ! ;

\ The block is the hash before, a bit, and the length of 256 bits.
: padded ( -- )
  64 0 do i digest @ i sched ! 8 +loop
  $80000000 64 sched ! 120 72 do 0 i sched ! 8 +loop 256 120 sched ! ;

: schedule ( -- )
  512 128 do
    i 128 - sched @ i 120 - sched @ s0 + i 56 - sched @ + i 16 - sched @ s1 + m i sched !
  8 +loop ;

\ In the round at n, a is the variable 0 - n, and so on to h, 56 - n, whose place the next a takes.
: a-round ( n -- )
  >r
  56 r@ - var @ r@ const @ + r@ sched @ +
  32 r@ - var @ dup t1 swap 40 r@ - var @ 48 r@ - var @ choose + +
  dup 24 r@ - var @ + m 24 r@ - var !
  0 r@ - var @ dup t0 swap 8 r@ - var @ 16 r@ - var @ majority + + m
  56 r> - var ! ;

: hashed ( -- )
  padded schedule initial
  64 0 do i digest @ i var ! 8 +loop
  512 0 do i a-round 8 +loop
  64 0 do i var @ i digest @ + m i digest ! 8 +loop ;

: run ( -- n )
  constants 64 0 do 0 i digest ! 8 +loop
  N 0 do hashed loop 0 digest @ ;
