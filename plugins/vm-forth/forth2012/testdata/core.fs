\ The core word set beyond what other tests of this package cover: loops at the edges of the number range, parsing, words
\ that compile, numbers, strings. Written after the text of the standard; numbers in brackets are its sections.

-1 1 rshift constant max-n
max-n invert constant min-n

testing loops [6.1.0140, 6.1.1800]
: count-up ( limit start -- n ) 0 -rot do 1+ loop ;
T{ 5 0 count-up -> 5 }T
T{ max-n dup 3 - count-up -> 3 }T
T{ min-n 2 + max-n 1- count-up -> 4 }T
: step3 ( limit start -- i*x ) do i 3 +loop ;
T{ 10 0 step3 -> 0 3 6 9 }T
T{ 9 0 step3 -> 0 3 6 }T
T{ 1 0 step3 -> 0 }T
: step-2 do i -2 +loop ;
T{ 0 6 step-2 -> 6 4 2 0 }T
T{ 1 6 step-2 -> 6 4 2 }T
T{ 6 6 step-2 -> 6 }T
: big do i max-n +loop ;
T{ 0 min-n big -> min-n -1 }T
: least do i min-n +loop ;
T{ 0 max-n least -> max-n }T
T{ min-n max-n least -> max-n -1 }T
: leaves ( n -- n ) 10 0 do i over = if leave then i 7 = if drop 77 leave then loop ;
T{ 3 leaves -> 3 }T
T{ 8 leaves -> 77 }T
: nested-leave 3 0 do 5 0 do i j + 3 = if leave then i j loop loop ;
T{ nested-leave -> 0 0 1 0 2 0 0 1 1 1 0 2 }T
: early 5 0 do i 3 = if unloop 99 exit then loop 11 ;
T{ early -> 99 }T
: j-test 2 0 do 12 10 do j i loop loop ;
T{ j-test -> 0 10 0 11 1 10 1 11 }T
: zero-step ( -- n ) 0 5 1 do 1+ dup 4 = if leave then i 2 mod +loop ;
T{ zero-step -> 4 }T

testing recurse [6.1.2120]
: gcd ( a b -- c ) ?dup if tuck mod recurse then ;
T{ 12 18 gcd -> 6 }T
T{ 17 5 gcd -> 1 }T
: ack ( m n -- a ) over 0= if nip 1+ exit then dup 0= if drop 1- 1 recurse exit then over 1- -rot 1- recurse recurse ;
T{ 2 3 ack -> 9 }T

testing control structures [6.1.1700, A.3.2.3.2]
: two-exits ( n -- n ) begin dup 10 < while dup 5 <> while 1+ repeat 100 + else 200 + then ;
T{ 0 two-exits -> 105 }T
T{ 6 two-exits -> 210 }T
T{ 12 two-exits -> 212 }T
: many-thens ( n -- n ) dup 0< if drop -1 else dup 0= if drop 0 else drop 1 then then ;
T{ -9 many-thens 0 many-thens 9 many-thens -> -1 0 1 }T
: elses if 1 else 2 else 3 else 4 else 5 then ;
T{ 0 elses -> 2 4 }T
T{ -1 elses -> 1 3 5 }T

testing create and does> [6.1.1000, 6.1.1250]
: array create cells allot does> swap cells + ;
5 array numbers
T{ 7 3 numbers ! 8 4 numbers ! -> }T
T{ 3 numbers @ 4 numbers @ 4 numbers 3 numbers - -> 7 8 8 }T
: pair create , , does> 2@ ;
T{ 1 2 pair p1 3 4 pair p2 p1 p2 -> 1 2 3 4 }T
T{ ' p1 >body @ -> 2 }T
: twice-does create 5 , does> @ 1+ ;
: change does> @ 10 * ;
T{ twice-does w1 w1 -> 6 }T
T{ change w1 -> 50 }T
T{ ' w1 execute -> 50 }T
: imm create immediate , does> @ postpone literal ;
T{ 33 imm lit33 : use-imm lit33 lit33 ; use-imm -> 33 33 }T
T{ create e1 here e1 = -> true }T
T{ variable v1 4 v1 ! v1 @ 5 v1 +! v1 @ -> 4 9 }T
T{ max-n v1 ! 1 v1 +! v1 @ -> min-n }T

testing immediate, postpone and find [6.1.1710, 6.1.2033, 6.1.1550]
: now 12 ; immediate
: later postpone now ;
T{ later -> 12 }T
: doit postpone dup postpone + ; immediate
: double doit ;
T{ 4 double -> 8 }T
: lit5 5 postpone literal ; immediate
: five lit5 ;
T{ five -> 5 }T
: my-if postpone if ; immediate
: my-then postpone then ; immediate
: conditional my-if 1 my-then 2 ;
T{ 0 conditional 1 conditional -> 2 1 2 }T
: endless-if ( compile time ) postpone begin ; immediate
T{ : down endless-if dup 1- dup 0= until ; 3 down -> 3 2 1 0 }T
create counted 3 c, char n c, char o c, char w c,
T{ counted find swap execute swap -> 12 1 }T
create counted2 6 c, char d c, char o c, char u c, char b c, char l c, char e c,
T{ counted2 find nip -> -1 }T
T{ 21 counted2 find drop execute -> 42 }T
create counted3 2 c, char ~ c, char ~ c,
T{ counted3 find -> counted3 0 }T
create empty-name 0 c,
T{ empty-name find -> empty-name 0 }T
T{ ' double ' DOUBLE = -> true }T
T{ : UPPER 1 ; upper Upper UPPER -> 1 1 1 }T
T{ : redefined 1 ; : user redefined ; : redefined redefined 1+ ; user redefined -> 1 2 }T

testing numbers [3.4.1.3]
T{ #10 $10 %10 -> 10 16 2 }T
T{ #-10 $-aF %-11 -> -10 -175 -3 }T
T{ 'a' 'Z' ''' -> 97 90 39 }T
T{ hex #10 10 $10 decimal -> 10 16 16 }T
T{ 7 base ! 10 #10 66 decimal -> 7 10 48 }T
T{ -1 18446744073709551615 = -> true }T
T{ 36 base ! zz Zz decimal -> 1295 1295 }T
T{ -0 -> 0 }T
T{ : prefixed #12 $c 'x' ; prefixed -> 12 12 120 }T
T{ 0 0 s" 123" >number nip -> 123 0 0 }T
T{ 0 0 s" 12x4" >number nip -> 12 0 2 }T
T{ 0 1 s" 1" >number 2drop -> 1 10 }T
T{ 5 0 s" " >number nip -> 5 0 0 }T
T{ hex 0 0 s" fFg" >number nip decimal -> 255 0 1 }T

testing pictured numbers [6.1.0490]
: shown ( d -- c-addr u ) <# #s #> ;
: is ( c-addr u c-addr u -- flag ) compare 0= ;
T{ 0 0 shown s" 0" is -> true }T
T{ 255 0 hex shown decimal s" FF" is -> true }T
T{ -1 -1 2 base ! shown decimal nip -> 128 }T
T{ -12 dup abs 0 <# # # char . hold #s rot sign #> s" -0.12" is -> true }T
T{ 0 0 <# #> nip -> 0 }T
T{ 1 0 <# bl hold char x hold #> s" x " is -> true }T

testing words of the input [6.1.2450, 6.1.2216, 6.1.1360]
T{ bl word abc count s" abc" is -> true }T
T{ char | word a b| count s" a b" is -> true }T
T{ char , word ,,x, count s" x" is -> true }T
T{ bl word
 count nip -> 0 }T
T{ char " parse hello" s" hello" is -> true }T
T{ s" 1 2 +" evaluate -> 3 }T
T{ s" " evaluate -> }T
: skip >in @ + >in ! ;
T{ 3 skip 99 1 -> 1 }T
T{ s" source" evaluate nip -> 6 }T
T{ source drop >in @ + c@ -> char + }T
T{ : ge s" 100 >in @ " evaluate ; ge -> 100 10 }T
T{ ( a comment
  of two lines ) 5 -> 5 }T
T{ 1 \ the rest is a comment }T
 -> 1 }T
T{ char A char BC -> 65 66 }T
T{ : chars-of [char] A [char] BC ; chars-of -> 65 66 }T

testing division [3.2.2.1], which is symmetric here
T{ -7 2 /mod -> -1 -3 }T
T{ 7 -2 /mod -> 1 -3 }T
T{ 7 -2 / 7 -2 mod -7 -2 / -7 -2 mod -> -3 1 3 -1 }T
T{ -7 s>d 2 fm/mod -7 s>d 2 sm/rem -> 1 -4 -1 -3 }T
T{ max-n 2 max-n */ max-n max-n max-n */mod -> 2 0 max-n }T
T{ 1 0 ' / catch nip nip 1 s>d 0 ' um/mod catch nip nip nip -> -10 -10 }T
T{ min-n -1 ' / catch nip nip -> -11 }T

testing arithmetic that wraps
T{ max-n 1+ min-n 1- min-n negate min-n abs -> min-n max-n min-n min-n }T
T{ max-n 2* max-n max-n * -> -2 1 }T
T{ 1 63 lshift 1 64 lshift -1 64 rshift -> min-n 0 0 }T

testing environment? [6.1.1345]
T{ s" MAX-N" environment? s" nothing like that" environment? -> max-n true false }T
T{ s" ADDRESS-UNIT-BITS" environment? s" FLOORED" environment? -> 8 true false true }T

testing evaluate within definitions, and text interpreter state [6.1.1360, 6.1.2250]
: ev-add s" + " evaluate ;
T{ 3 4 ev-add -> 7 }T
: ev-def s" : made 17 ; " evaluate ;
T{ ev-def made -> 17 }T
: in-def s" [ 1 ] literal" evaluate ; immediate
T{ : uses-it in-def 2 ; uses-it -> 1 2 }T
T{ : state? state @ 0<> ; state? -> false }T
T{ : state! state @ 0<> postpone literal ; immediate : compiled? state! ; compiled? -> true }T
