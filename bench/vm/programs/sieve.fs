\ The sieve of BYTE magazine, N times: 8,191 flags for the odd numbers from 3 on, of which 1,899 are primes.

: primes ( -- count )
  mem 8191 + mem do 1 i c! loop
  0 8191 0 do
    mem i + c@ if
      i 2* 3 + dup i +              ( count prime k )
      begin dup 8191 < while
        0 over mem + c! over +
      repeat
      2drop 1+
    then
  loop ;

: run ( -- count ) 0 N 0 do drop primes loop ;
