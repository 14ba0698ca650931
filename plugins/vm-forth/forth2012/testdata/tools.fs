\ Programming tools and the search order.

testing conditions [15.6.2.2532]
T{ true [if] 1 [else] 2 [then] false [if] 1 [else] 2 [then] -> 1 2 }T
T{ false [if] 1 [if] 2 [else] 3 [then] [else] 4 [then] -> 4 }T
T{ true [if]
  1 false [if] 2 [then]
[else]
  3
[then] 4 -> 1 4 }T
T{ [defined] dup [defined] nonsuch [undefined] nonsuch -> true false true }T
T{ 0 [IF] 1 [ELSE] 2 [THEN] -> 2 }T

testing the control-flow stack [15.6.2.1015, 15.6.2.0702]
: ahead-test 1 ahead 2 then 3 ;
T{ ahead-test -> 1 3 }T
: my-while postpone if 1 cs-roll ; immediate
: my-repeat postpone again postpone then ; immediate
: my-loop ( n -- ) begin dup 3 < my-while dup 1+ my-repeat 77 ;
T{ 0 my-loop -> 0 1 2 3 77 }T
: ?again 1 cs-pick postpone until ; immediate
: pick-it ( n -- n ) begin 1+ dup 10 < if dup 4 > ?again 100 + then dup 20 > until ;
T{ 0 pick-it 9 pick-it -> 105 21 }T
: jump-in ahead [ 0 cs-roll ] 1 then 2 ;
T{ jump-in -> 2 }T
: nr n>r 9 nr> ;
T{ 1 2 3 3 nr -> 9 1 2 3 3 }T
T{ 0 nr -> 9 0 }T

testing names [15.6.2.1909, 15.6.2.2297, 15.6.2.2264]
T{ synonym plus + 1 2 plus -> 3 }T
T{ synonym maybe if : m maybe 1 else 2 then ; 0 m 1 m -> 2 1 }T
wordlist constant w1
get-current w1 set-current
: one 1 ;
: two 2 ; immediate
set-current
: count-names ( n nt -- n true ) drop 1+ true ;
T{ 0 ' count-names w1 traverse-wordlist -> 2 }T
: first-name ( nt -- nt false ) false ;
T{ ' first-name w1 traverse-wordlist name>string s" two" compare -> 0 }T
T{ ' first-name w1 traverse-wordlist name>interpret execute -> 2 }T
T{ ' first-name w1 traverse-wordlist name>compile execute -> 2 }T

testing wordlists [16.6.1.2192, 16.6.1.2195]
T{ s" one" w1 search-wordlist nip s" two" w1 search-wordlist nip s" three" w1 search-wordlist -> -1 1 0 }T
T{ s" one" w1 search-wordlist drop execute -> 1 }T
: in-w1 ( c-addr u -- i*x ) 2>r get-order w1 swap 1+ set-order 2r> evaluate previous ;
T{ s" one" in-w1 -> 1 }T
T{ s" one" ' evaluate catch nip nip -> -13 }T
: count-order ( i*x n -- n ) dup >r 0 ?do drop loop r> ;
T{ get-order count-order also get-order count-order previous get-order count-order -> 1 2 1 }T
T{ only forth get-order -> forth-wordlist 1 }T
T{ forth-wordlist 1 set-order get-order -> forth-wordlist 1 }T
: without ( c-addr u -- n ) 2>r get-order 2r> 0 set-order ['] evaluate catch >r 2drop set-order r> ;
T{ s" dup" without -> -13 }T
T{ get-current forth-wordlist = -> true }T
T{ w1 set-current : three 3 ; forth-wordlist set-current s" three" w1 search-wordlist nip -> -1 }T
T{ get-order w1 swap 1+ set-order definitions get-current w1 = previous definitions get-current forth-wordlist = -> true true }T
