-- A request that takes effect once is known again by the digest of its body.
create index intake_digest on intake (digest) where digest is not null;
