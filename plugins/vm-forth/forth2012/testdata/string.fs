\ The string word set and its extension.

: s1 s" abcdefghijklmnopqrstuvwxyz" ;
: is compare 0= ;
create buf 100 allot
: clear buf 100 [char] . fill ;

testing /string and -trailing [17.6.1.0245, 17.6.1.0170]
T{ s1 5 /string s1 swap 5 + swap 5 - is -> true }T
T{ s1 10 /string -4 /string s1 6 /string is -> true }T
T{ s1 0 /string s1 is -> true }T
T{ s1 drop 0 0 /string nip -> 0 }T
T{ s" ab  " -trailing s" ab" is s"    " -trailing nip s" " -trailing nip -> true 0 0 }T
T{ s"  a b" -trailing nip s1 -trailing nip -> 4 26 }T

testing search [17.6.1.2191]
T{ s1 s" abc" search -rot s1 is -> true true }T
T{ s1 s" xyz" search -rot s" xyz" is -> true true }T
T{ s1 s" mno" search -rot s1 12 /string is -> true true }T
T{ s1 s" mnp" search -rot s1 is -> false true }T
T{ s1 s" " search -rot s1 is -> true true }T
T{ s" " s1 search -rot nip -> false 0 }T
T{ s" aab" s" ab" search -rot s" ab" is -> true true }T
T{ s" ab" s" abc" search -rot nip -> false 2 }T

testing compare [17.6.1.0935]
T{ s" abc" s" abc" compare s" " s" " compare -> 0 0 }T
T{ s" abc" s" abd" compare s" abd" s" abc" compare -> -1 1 }T
T{ s" ab" s" abc" compare s" abc" s" ab" compare s" " s" a" compare -> -1 1 -1 }T
T{ s" B" s" a" compare s" b" s" abc" compare -> -1 1 }T
T{ s\" \xff" s\" \x01" compare -> 1 }T

testing cmove, cmove> and blank [17.6.1.0910, 17.6.1.0920, 17.6.1.0780]
T{ clear s1 drop buf 5 cmove buf 6 s" abcde." is -> true }T
T{ clear s1 drop buf 5 cmove> buf 6 s" abcde." is -> true }T
T{ clear char x buf c! buf buf 1+ 4 cmove buf 6 s" xxxxx." is -> true }T
T{ clear s" abcd" buf swap cmove buf buf 2 + 4 cmove> buf 7 s" ababcd." is -> true }T
T{ clear s" abcd" buf swap cmove buf 1+ buf 3 cmove buf 5 s" bcdd." drop 5 is -> true }T
T{ clear s1 drop buf 0 cmove buf c@ char . = -> true }T
T{ clear buf 3 blank buf 4 s"    ." is -> true }T
T{ clear buf 0 blank buf c@ char . = -> true }T

testing sliteral [17.6.1.2212]
T{ : s2 [ s1 3 /string ] sliteral ; s2 s1 3 /string is s2 drop s1 drop 3 + = -> true false }T
T{ : s3 [ s" " ] sliteral ; s3 nip -> 0 }T

testing unescape, replaces and substitute [17.6.2.2375, 17.6.2.2141, 17.6.2.2255]
T{ s" 50% of %a%" buf unescape s" 50%% of %%a%%" is -> true }T
T{ s" none" buf unescape s" none" is -> true }T
T{ s" world" s" who" replaces s" !" s" end" replaces -> }T
T{ s" hello %who%%end%" buf 100 substitute -rot s" hello world!" is -> 2 true }T
T{ s" nothing" buf 100 substitute -rot s" nothing" is -> 0 true }T
T{ s" 100%% %who%" buf 100 substitute -rot s" 100% world" is -> 1 true }T
T{ s" %other% %who%" buf 100 substitute -rot s" %other% world" is -> 1 true }T
T{ s" ends with %" buf 100 substitute -rot s" ends with %" is -> 0 true }T
T{ s" %who% %open" buf 100 substitute -rot s" world %open" is -> 1 true }T
T{ s" " buf 100 substitute -rot nip -> 0 0 }T
T{ s" hello %who%" buf 5 substitute nip nip 0< -> true }T
T{ s" there" s" who" replaces s" %who%" buf 100 substitute -rot s" there" is -> 1 true }T
T{ s" " s" none" replaces s" a%none%b" buf 100 substitute -rot s" ab" is -> 1 true }T
: rep s" in a word" s" w" replaces s" %w%" buf 100 substitute ;
T{ rep -rot s" in a word" is -> 1 true }T
