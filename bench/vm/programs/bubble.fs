\ Bubble sort of 1,000 pseudo-random numbers, N times; then one number that depends on the place of each.

: numbers ( -- )
  42 1000 0 do 1103515245 * 12345 + 2147483647 and dup i 8 * mem + ! loop drop ;

: sort ( -- )
  999 0 do
    999 i - 8 * mem + mem do
      i @ i 8 + @ 2dup > if i ! i 8 + ! else 2drop then
    8 +loop
  loop ;

: digest ( -- n )
  0 1000 0 do 31 * i 8 * mem + @ + 2147483647 and loop ;

: run ( -- n ) 0 N 0 do drop numbers sort digest loop ;
