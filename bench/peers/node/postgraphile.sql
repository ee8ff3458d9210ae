-- What an append is in PostGraphile: a function with the statement of the other servers.
create schema bench;
create function bench.append_message(owner text, session uuid, body text) returns messages volatile language sql as $$
with head as (
    update sessions set
        last_sequence = last_sequence + 1, message_count = message_count + 1, head = head + 1,
        last_activity_at = greatest(last_activity_at, now())
    where owner_id = owner and id = session and deleted_at is null and archived_at is null and status = 'ACTIVE'
    and (expires_at is null or expires_at > now())
    returning owner_id, id, last_sequence, head
)
insert into messages (owner_id, session_id, sequence, created_revision, revision, role, text, metadata, tsv)
select owner_id, id, last_sequence, head, head, 'USER', body, '{}',
    to_tsvector('simple', left(body, 16384)) || array_to_tsvector(array['@' || owner_id])
from head
returning messages.*
$$;
