-- An owner that is known to be dead: its leases are over. $1 owner.
UPDATE run SET lease_until = NULL WHERE state = 'running' AND owner = $1::text
