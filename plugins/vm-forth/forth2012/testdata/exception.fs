\ The exception word set.

testing catch and throw [9.6.1.0875, 9.6.1.2275]
: t1 9 ;
: c1 1 2 ['] t1 catch ;
T{ c1 -> 1 2 9 0 }T
: t2 5 0 throw ;
T{ 4 ' t2 catch -> 4 5 0 }T
: t3 7 8 9 42 throw ;
T{ 1 2 ' t3 catch -> 1 2 42 }T
: t4 drop drop -77 throw ;
T{ 1 2 3 ' t4 catch nip nip nip depth -> -77 1 }T
: deep 1- dup 0= if 5 throw then recurse ;
T{ 10 ' deep catch nip -> 5 }T
: rethrow ['] t3 catch throw ;
T{ ' rethrow catch -> 42 }T
: inner ['] t3 catch 100 + ;
T{ ' inner catch -> 142 0 }T
: rs 11 >r ['] t3 catch r> ;
T{ rs -> 42 11 }T
T{ 0 ' throw catch 0 ' throw catch -> 0 0 }T
: loops 3 1 do i ['] throw catch nip loop ;
T{ loops -> 1 2 }T

testing exceptions of the system [table 9.1]
T{ 1 0 ' / catch nip nip -> -10 }T
T{ -1 ' @ catch nip -> -9 }T
T{ 1 -1 ' ! catch nip nip -> -9 }T
: under drop drop drop drop drop drop drop drop drop drop drop drop drop drop drop drop drop ;
T{ ' under catch -> -4 }T
: endless recurse ;
T{ ' endless catch -> -3 }T
: undefined s" 1 nonsuch 2" evaluate ;
T{ ' undefined catch -> -13 }T
T{ s" '" ' evaluate catch nip nip -> -16 }T
T{ s" if" ' evaluate catch nip nip -> -14 }T
T{ s" 5 to catch" ' evaluate catch nip nip -> -32 }T
T{ -1 ' execute catch nip -> -13 }T

testing the input source after an exception
: throws s" 1 2 3 99 throw this is skipped" evaluate 4 ;
T{ ' throws catch 5 -> 99 5 }T
: throws2 s" throws" evaluate ;
T{ ' throws2 catch 6 -> 99 6 }T
: swallows parse-name 2drop parse-name 2drop -5 throw ;
T{ ' swallows catch 1 2 -> -5 1 2 }T
: lines refill drop refill drop 3 throw ;
T{ ' lines catch 1
2 ->
3 1 2 }T

testing abort and abort" [9.6.2.0670, 9.6.2.0680]
: a1 1 2 abort ;
T{ 3 ' a1 catch -> 3 -1 }T
: a2 abort" this is not printed" 6 ;
T{ 0 ' a2 catch -> 6 0 }T
T{ 1 ' a2 catch nip -> -2 }T

testing exceptions and local variables [13.3.3]
: changes {: a b -- :} 50 to a 60 to b 7 throw ;
: keeps {: a b -- :} a b ['] changes catch nip nip a b ;
T{ 1 2 keeps -> 7 1 2 }T
: hidden-catch catch ;
: keeps2 {: a -- :} 8 9 ['] changes hidden-catch nip nip a ;
T{ 3 keeps2 -> 7 3 }T
