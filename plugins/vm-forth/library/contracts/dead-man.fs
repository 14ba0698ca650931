\ dialect: paloalto
\ result: delay-nonce-amount
\ Dead man's switch: an heir can have everything, unless the owner is there to say no.
\
\ First participant:  the heir.
\ Second participant: the owner, who pays.
\ Evidence:           none: who claims is what counts
\
\ The heir's claim waits for some ticks of the clock, and is then settled. As long as it waits, and at any time before,
\ the owner's own claim gives everything back to the owner at once. The lock's deadline has to lie further ahead than
\ the wait; from the deadline on, the owner can have a refund. To go on, the owner locks again.

\ How many ticks of the clock the owner has to answer.
macro wait 10000 ;

: total ( -- amount ) 0 balance 1 balance + ;

caller 0 = if wait 1 total else 0 2 0 then
