\ Structures of the facility word set.

testing structures [10.6.2.0763]
begin-structure empty end-structure
T{ empty -> 0 }T
begin-structure point
  field: point.x
  field: point.y
end-structure
T{ point 0 point.x 0 point.y -> 16 0 8 }T
create p point allot
T{ 3 p point.x ! 4 p point.y ! p point.x @ p point.y @ p 8 + @ -> 3 4 4 }T
begin-structure mixed
  cfield: mixed.c
  cfield: mixed.d
  field: mixed.n
  point +field mixed.p
  5 +field mixed.rest
  2field: mixed.two
end-structure
T{ 0 mixed.c 0 mixed.d 0 mixed.n 0 mixed.p 0 mixed.rest 0 mixed.two mixed -> 0 1 8 16 32 40 56 }T
T{ 100 mixed.p point.y -> 124 }T
: sum-of {: p -- n :} p point.x @ p point.y @ + ;
T{ p sum-of -> 7 }T
T{ 77 begin-structure odd cfield: odd.a end-structure -> 77 }T
T{ odd 0 2 +field f drop 10 f -> 1 10 }T
