\ The Fibonacci number of N, recursively: calls, comparisons, additions.

: fib ( n -- f )
  dup 2 < if else dup 1- recurse swap 2 - recurse + then ;

: run ( -- f ) N fib ;
