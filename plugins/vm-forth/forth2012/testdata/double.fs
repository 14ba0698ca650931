\ The double word set and its extension.

-1 1 rshift constant max-n
max-n invert constant min-n
-1 max-n 2constant max-d
0 min-n 2constant min-d

testing numbers and definitions [8.6.1.0360 to 8.6.2.0435]
T{ 1. -1. 0. -> 1 0 -1 -1 0 0 }T
T{ 18446744073709551616. $ff. %-10. -> 0 1 255 0 -2 -1 }T
T{ 1 2 2constant c c -> 1 2 }T
T{ : lit [ 3 4 ] 2literal ; lit -> 3 4 }T
T{ 2variable v 5 6 v 2! v 2@ v @ -> 5 6 6 }T
T{ 7 8 2value w w 9 10 to w w -> 7 8 9 10 }T
T{ : set to w ; 11 12 set w -> 11 12 }T
T{ : in-def 1. 2. ; in-def -> 1 0 2 0 }T

testing arithmetic [8.6.1.1040]
T{ 1. 2. d+ 1. -2. d+ -1 0 1. d+ -> 3. -1. 0 1 }T
T{ max-d 1. d+ -> min-d }T
T{ 0 1 1. d- 1. 2. d- min-d 1. d- -> -1 0 -1. max-d }T
T{ 5. dnegate min-d dnegate 0. dnegate -> -5. min-d 0. }T
T{ 5. dabs -5. dabs min-d dabs -> 5. 5. min-d }T
T{ 1. d2* -1. d2* max-n 1 d2* -> 2. -2. -2 2 }T
T{ min-n 0 d2* -> 0 1 }T
T{ 5. d2/ -5. d2/ 0 1 d2/ -> 2. -3. min-n 0 }T
T{ min-d d2/ nip -> -1 62 lshift }T
T{ 3 s>d -3 s>d 12. d>s -12. d>s -> 3. -3. 12 -12 }T
T{ 1. 2 m+ 1. -2 m+ -1 0 1 m+ max-d 1 m+ -> 3. -1. 0 1 min-d }T

testing comparisons [8.6.1.1075]
T{ 0. d0= 1. d0= 0 1 d0= min-d d0= -> true false false false }T
T{ 0. d0< -1. d0< max-d d0< min-d d0< -1 0 d0< -> false true false true false }T
T{ 1. 1. d= 1. 2. d= 0 1 0 2 d= min-d min-d d= -> true false false true }T
T{ 1. 2. d< 2. 1. d< -1. 1. d< min-d max-d d< max-d min-d d< 1. 1. d< -> true false true true false false }T
T{ -1 0 0 1 d< 0 1 -1 0 d< -1 -2 0 -1 d< -> true false true }T
T{ 1. 2. du< 1. -1. du< -1. 1. du< min-d max-d du< -> true true false false }T
T{ 1. 2. dmax -1. -2. dmax min-d max-d dmax -> 2. -1. max-d }T
T{ 1. 2. dmin -1. -2. dmin min-d max-d dmin 3. 3. dmin -> 1. -2. min-d 3. }T

testing mixed precision [8.6.1.1820]
T{ 10. 3 2 m*/ -10. 3 2 m*/ 10. -3 2 m*/ -10. -3 2 m*/ -> 15. -15. -15. 15. }T
T{ 7. 1 2 m*/ -7. 1 2 m*/ -> 3. -3. }T
T{ max-d 3 3 m*/ max-d max-n max-n m*/ min-d 1+ 5 5 m*/ -> max-d max-d min-d 1+ }T
T{ max-d 2 4 m*/ -> max-d d2/ }T
T{ 0 1 max-n max-n m*/ -> 0 1 }T
T{ 1. 2. 3. 2rot -> 2. 3. 1. }T

testing output [8.6.1.1060]
: shown ( d -- c-addr u ) tuck dabs <# #s rot sign #> ;
T{ max-d shown s" 170141183460469231731687303715884105727" compare -> 0 }T
T{ min-d shown s" -170141183460469231731687303715884105728" compare -> 0 }T
