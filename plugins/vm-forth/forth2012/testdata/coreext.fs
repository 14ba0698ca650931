\ The core extension words.

testing comparisons [6.2.0500 to 6.2.2440]
T{ true false -> -1 0 }T
T{ 1 2 <> 2 2 <> -> true false }T
T{ -1 1 u> 1 -1 u> 1 1 u> -> true false false }T
T{ 0 0<> 5 0<> -5 0<> -> false true true }T
T{ -1 0> 0 0> 1 0> -> false false true }T
T{ 5 0 10 within -1 0 10 within 10 0 10 within 0 0 10 within -> true false false true }T
T{ 0 -5 5 within -6 -5 5 within 5 10 -10 within 11 10 -10 within -> true false false true }T
T{ 3 3 3 within -1 0 -1 within 1 -1 0 within -> false false false }T

testing the stack [6.2.1930 to 6.2.2300]
T{ 1 2 nip -> 2 }T
T{ 1 2 tuck -> 2 1 2 }T
T{ 1 2 3 0 pick 1 2 3 2 pick -> 1 2 3 3 1 2 3 1 }T
T{ 1 2 3 4 3 roll 1 2 1 roll 7 0 roll -> 2 3 4 1 2 1 7 }T
: r2 2>r 9 2r@ 2r> ;
T{ 1 2 r2 -> 9 1 2 1 2 }T
: r3 2>r r> r> ;
T{ 1 2 r3 -> 2 1 }T

testing loops [6.2.0620, 6.2.0700]
: ?up ?do i loop ;
T{ 3 0 ?up 0 0 ?up 5 5 ?up -> 0 1 2 }T
: ?leave ?do i dup 2 = if leave then loop ;
T{ 9 0 ?leave -> 0 1 2 }T
: forever begin 1+ dup 5 > if exit then again ;
T{ 0 forever -> 6 }T
: nested-? ( n -- ) 0 ?do i 0 ?do j i loop loop ;
T{ 3 nested-? -> 1 0 2 0 2 1 }T

testing case [6.2.0873]
: kind case 1 of 111 endof 2 of 222 endof dup 10 > if dup drop 333 swap else 444 swap then endcase ;
T{ 1 kind 2 kind 11 kind 5 kind -> 111 222 333 444 }T
: nested-case ( a b ) case 1 of case 1 of 11 endof 2 of 12 endof -1 swap endcase endof 2 of drop 20 endof nip 99 swap endcase ;
T{ 1 1 nested-case 2 1 nested-case 7 1 nested-case 5 2 nested-case 5 9 nested-case -> 11 12 -1 20 99 }T
: no-case case endcase ;
T{ 1 2 no-case -> 1 }T

testing definitions without names [6.2.0455]
T{ :noname 1+ ; constant inc 5 inc execute -> 6 }T
T{ :noname dup 0> if dup 1- recurse then ; 3 swap execute -> 3 2 1 0 }T

testing values [6.2.2405]
T{ 5 value v v 6 to v v -> 5 6 }T
: set-v to v ;
T{ 7 set-v v -> 7 }T
T{ : plus-v v + to v ; 1 plus-v v -> 8 }T

testing defer [6.2.1173]
T{ defer d :noname 1 ; is d d :noname 2 ; is d d -> 1 2 }T
T{ ' + ' d defer! 3 4 d ' d defer@ ' + = -> 7 true }T
T{ : set-d is d ; ' - set-d 9 4 d action-of d ' - = -> 5 true }T
T{ : what action-of d ; what ' - = -> true }T
: calls-d d ;
T{ ' * is d 3 4 calls-d -> 12 }T
T{ defer undone ' undone catch -> -13 }T

testing buffers and memory [6.2.0825, 6.2.1350]
16 buffer: buf
T{ buf 16 + here <= -> true }T
T{ buf 16 255 fill buf 16 erase buf @ buf 8 + @ -> 0 0 }T
T{ pad 4 char z fill pad 3 + c@ -> 122 }T
T{ unused 8 allot unused - -8 allot -> 8 }T
T{ unused 1 c, unused - -1 allot -> 1 }T

testing parsing [6.2.2008, 6.2.2020]
T{ parse-name   xyz   s" xyz" compare -> 0 }T
T{ parse-name
 nip -> 0 }T
T{ char ; parse a b; s" a b" compare -> 0 }T
T{ char ; parse ; nip -> 0 }T
T{ s" parse-name" evaluate nip -> 0 }T
: next-name parse-name ;
T{ next-name q s" q" compare -> 0 }T

testing strings [6.2.0855, 6.2.2266]
: cq c" text" ;
T{ cq count s" text" compare cq c@ -> 0 4 }T
T{ : cq0 c" " ; cq0 count nip -> 0 }T
: codes ( c-addr u -- i*x ) 0 ?do count swap loop drop ;
T{ s\" a\qb\\c\"d" codes -> 97 34 98 92 99 34 100 }T
T{ s\" \a\b\e\f\l\n\r\t\v\z" codes -> 7 8 27 12 10 10 13 9 11 0 }T
T{ s\" \m\x41\xfF!" codes -> 13 10 65 255 33 }T
T{ s\" " nip -> 0 }T
: sl s\" \x01\q" ;
T{ sl codes -> 1 34 }T
T{ 0 0 <# s" ab" holds s" cd" holds #> s" cdab" compare -> 0 }T

testing words for compiling [6.2.0945, 6.2.2530]
: add-dup ['] dup compile, ; immediate
T{ : two add-dup + ; 4 two -> 8 }T
T{ :noname 3 * ; constant times3 : add-it times3 compile, ; immediate : nine 3 add-it ; nine -> 9 }T
: c1 [compile] dup ; immediate
T{ 5 c1 -> 5 5 }T
: c2 [compile] c1 ;
T{ 6 c2 -> 6 6 }T
: c3 [compile] if ; immediate
T{ : c4 c3 1 else 2 then ; -1 c4 0 c4 -> 1 2 }T

testing markers [6.2.1850]
: here? bl word find nip 0<> ;
T{ marker m0 : inside 1 ; variable inside2 marker m1 : inside 2 ; inside -> 2 }T
T{ m1 inside here? m1 -> 1 false }T
T{ m0 here? inside here? inside2 here? m0 -> false false false }T
T{ here marker m2 100 allot m2 here = -> true }T

testing the input source [6.2.2125, 6.2.2148, 6.2.2182, 6.2.2218]
T{ source-id 0> s" source-id" evaluate -> true -1 }T
T{ s" refill" evaluate -> false }T
: next-line refill source nip ;
T{ next-line
12345 -> true 25 12345 }T
: after refill drop >in @ ;
T{ after
   7 -> 0 7 }T
variable tries 0 tries !
T{ save-input tries @
  [if] 22
  [else] 1 tries ! restore-input 11
  [then] -> 0 22 }T
variable jump 0 jump !
: bump jump @ >in +! 15 jump ! ;
T{ s" save-input bump restore-input 777" evaluate -> 0 77 }T
T{ 1 2 3 3 restore-input 0= -> false }T

testing what is compiled by number [6.2.1850, 6.2.2295]
T{ hex ff decimal -> 255 }T
T{ .( ) 1 -> 1 }T
T{ 3 synonym three-times dup three-times -> 3 3 }T
