\ T{ and }T are words of the session; older tests have { and } for them.
: { T{ ;
: } }T ;
