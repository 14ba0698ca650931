\ The locals word set and its extension.

testing {: [13.6.2.2550]
: l1 {: a :} a a ;
T{ 5 l1 -> 5 5 }T
: l2 {: a b -- difference :} a b - ;
T{ 9 4 l2 -> 5 }T
: l3 {: a | b c -- n :} a 2* to b b 1+ to c a b c ;
T{ 10 l3 -> 10 20 21 }T
: l4 {: | x :} 3 to x x ;
T{ l4 -> 3 }T
: l5 {: :} 1 ;
T{ l5 -> 1 }T
: l6 {: -- nothing here matters :} 2 ;
T{ l6 -> 2 }T
: l7 {: Abc :} ABC abc + ;
T{ 4 l7 -> 8 }T
: l8 {: dup -- :} dup dup ;
T{ 4 l8 -> 4 4 }T
: l9 {: a b
        c -- :} c b a ;
T{ 1 2 3 l9 -> 3 2 1 }T
: l10 {: a b c d e f g h i1 j1 k l m n o p :} p o n m l k j1 i1 h g f e d c b a ;
T{ 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 l10 -> 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 }T

testing locals and control
: fact {: n :} n 2 < if 1 exit then n 1- recurse n * ;
T{ 10 fact -> 3628800 }T
: fib {: n :} n 2 < if n else n 1- recurse n 2 - recurse + then ;
T{ 15 fib -> 610 }T
: sum {: n | s :} 0 to s n 0 ?do i s + to s loop s ;
T{ 5 sum 0 sum -> 10 0 }T
: callee {: a b :} a b + to a a ;
: caller {: a b :} a b callee a b ;
T{ 1 2 caller -> 3 1 2 }T
: unlooped {: n :} 10 0 do i n = if i unloop exit then loop -1 ;
T{ 4 unlooped 20 unlooped -> 4 -1 }T
: with-r {: a b :} a >r b r> ;
T{ 1 2 with-r -> 2 1 }T
: in-begin {: n :} begin n 0> while n n 1- to n repeat ;
T{ 3 in-begin -> 3 2 1 }T
T{ :noname {: a :} a a * ; 7 swap execute -> 49 }T
: maker create , does> {: x addr :} addr @ x + ;
T{ 5 maker five 10 five -> 15 }T
: maker2 {: n :} create n , does> @ ;
T{ 6 maker2 six six -> 6 }T
: postponed {: a :} a postpone literal ; immediate
T{ : p5 [ 5 ] postponed ; p5 -> 5 }T
: shadow 1 ;
: uses {: shadow :} shadow ;
T{ 2 uses shadow -> 2 1 }T

testing locals| and (local) [13.6.2.1795, 13.6.1.0086]
: k1 locals| a b | a b ;
T{ 1 2 k1 -> 2 1 }T
: k2 locals| a | 9 to a a ;
T{ 1 k2 -> 9 }T
: local parse-name (local) ; immediate
: end-locals s" " (local) ; immediate
: k3 local x local y end-locals x y x ;
T{ 1 2 k3 -> 2 1 2 }T
: local-as parse-name (local) ; immediate
: k4 local-as a local-as b end-locals a b - ;
T{ 3 10 k4 -> 7 }T
