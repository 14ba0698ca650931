\ A counted loop of N rounds that do next to nothing.

: run ( -- n ) 0 N 0 do 1+ loop ;
