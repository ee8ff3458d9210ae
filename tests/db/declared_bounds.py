"""The bound of every statement, and the statements that break theirs.

A name stands for all variants of a statement that have no entry of their own.
"""

from app.db.access.bounds import Bound
from tests.db.plan_bounds import D

CONSTANT, PAGE, MATCHES, CATALOGUE, SESSION, FEW_ROWS, NEWEST_ROWS, EVERYTHING = Bound
BY_BOUND = {
    CONSTANT: """
        agent.create agent.delete agent.update
        approval.create approval.decide approval.for_update approval.one
        audit.record
        check.any_session
        idempotency.claim idempotency.find idempotency.store
        message.append message.append_idempotent message.decrement_counts message.delete message.one message.redact
        message.update
        session.archive session.create session.delete session.for_update session.has_expired session.lock
        session.mark_read session.one session.reactivate session.restore session.update
        session_agent.create session_agent.one session_agent.update
        search.size
        session_cap.lock
        session_changes.head
        session_erasure.session
        session_totals.lock session_totals.lock_existing session_totals.move session_totals.read
        streaming_end.close streaming_end.delete_chunks streaming_end.ended streaming_end.fold
        streaming_end.open_in_session streaming_end.parts_so_far streaming_end.text_so_far
        streaming_message.extend streaming_message.start streaming_message.stream_state streaming_message.take_over
        streaming_parts.extend streaming_parts.stream_state
        sweep.advance_horizon sweep.empty_record sweep.expire sweep.lock_ended sweep.remove_key sweep.remove_record
        sweep.remove_record_tombstone sweep.remove_session
        task.create task.for_update task.one task.set_status
        viewer_changes.horizon
    """,
    PAGE: """
        agent.by_ids agent.by_keys
        approval.by_ids approval.of_messages approval.of_tasks
        audit.by_ids
        message.append_many message.by_client_keys message.by_message_keys message.documents
        message.documents_by_client_keys message.in_session message.last_of_sessions message.of_sessions[stored_count]
        record.by_paths record.changed record.delete_paths record.lock_sessions record.put
        reindex.batch reindex.renew
        session.by_ids session.by_keys session.of_agents
        session_agent.by_keys session_agent.of_sessions session_agent.with_agents
        session_changes.after session_changes.new_chunks session_changes.streaming_messages
        session_totals.add session_totals.changed session_totals.count session_totals.forget
        stats.agent_metrics
        streaming_message.by_message_keys streaming_message.streaming_sessions streaming_parts.by_message_keys
        sweep.deleted sweep.deleted_messages sweep.deleted_records sweep.erased sweep.expired sweep.expired_records
        sweep.idle sweep.old_keys sweep.past_expires_at
        sweep.silent_streams
        task.by_ids
        viewer_changes.after viewer_changes.sessions
    """,
    MATCHES: """
        approval.count approval.of_messages[count] approval.of_sessions approval.of_tasks[count] approval.page
        approval.pending_of_sessions
        audit.count audit.page
        message.of_rare_roles
        message.of_session_agents message.of_session_agents[count] message.of_sessions message.of_sessions[count]
        message.unfinished_of_sessions message.unfinished_of_sessions[count]
        record.count record.delete_range record.page record_namespace.count record_namespace.page
        search.count search.count[of_type]
        search.page search.page[of_type,backward] search.page[of_type,forward]
        session.count[filtered] session.of_agents[count] session.page
        session.page[last_activity_asc,backward,by_status] session.page[last_activity_asc,backward,by_status,with_last]
        session.page[last_activity_asc,forward,by_status] session.page[last_activity_asc,forward,by_status,with_last]
        session.page[last_activity_desc,backward,by_status] session.page[last_activity_desc,backward,by_status,with_last]
        session.page[last_activity_desc,forward,by_status] session.page[last_activity_desc,forward,by_status,with_last]
        session_cap.beyond session_cap.count_others
        task.count task.of_sessions task.page
    """,
    CATALOGUE: "agent.count agent.page stats.of_owner",
    SESSION: """
        approval.of_sessions[count]
        search.count[session_rows] search.page[session_rows,backward] search.page[session_rows,forward]
        session_agent.of_sessions[count]
        session_erasure.approvals session_erasure.message_chunks session_erasure.messages
        session_erasure.session_agents
        session_erasure.records session_erasure.streams session_erasure.tasks
        sweep.remove_messages
        task.of_sessions[count]
    """,
    FEW_ROWS: "search.count[own_rows] search.page[own_rows,backward] search.page[own_rows,forward]",
    NEWEST_ROWS: """
        search.count[recent] search.is_common search.page[recent,backward] search.page[recent,forward]
        search.reaches_since
    """,
    EVERYTHING: """
        check.chunk_offsets check.counted_sessions check.existing_counted_session check.existing_session check.head
        check.message_count check.sequences check.session_totals check.stream_length
        check.records_of_erased
        check.stream_of_message check.unique_numbers check.unread_count
    """,
}
BOUNDS = {name: bound for bound, names in BY_BOUND.items() for name in names.split()}
# What grows although its bound excludes that, as measured on PostgreSQL 18. A change that mends one takes it off here.
KNOWN_TO_GROW = {
    # docs/growth.md says the same in the words of the schema.
    # A page is read in its order, past the tombstones at its end: an index without them would take an entry with each
    # append, and the sweeper removes them.
    "message.last_of_sessions": {D.HIDDEN},
    # The same. The program reads rare roles and statuses with the other statements of this noun: these two read USER,
    # ASSISTANT and COMPLETE, of which a page is soon full, and count them row by row.
    "message.of_sessions": {D.SESSION, D.HIDDEN},
    "message.of_sessions[count]": {D.SESSION, D.HIDDEN},
    # By metadata and text, of all records below a namespace: an index of metadata would write a quarter more with a put.
    "record.count": {D.SESSIONS},
    "record.page": {D.SESSIONS},
    # Counts the messages between the position and the nearer end. No number says which of them are from the user, and
    # which are deleted.
    "session.mark_read": {D.SESSION, D.HIDDEN},
    # By type, role and title: an append moves its session in every index of sessions, so that an index for each filter
    # would take an entry with each append.
    # The page of rare statuses has an index and entries of its own: it does not grow.
    "session.count[filtered]": {D.SESSIONS, D.HIDDEN},
    "session.page": {D.SESSIONS, D.HIDDEN},
    # Without a filter all entries of an index are counted. A counter would be one row for all writes of the owner.
    "approval.count": {D.SESSIONS},
    "audit.count": {D.SESSIONS},
    "task.count": {D.SESSIONS},
    # Sums over an agent's sessions and messages: a counter is a second row that each append would lock (decision 0021).
    "stats.agent_metrics": {D.MATCHES},
    # The beginning of a word is looked up among the words of all owners.
    "search.count": {D.OTHER_OWNERS},
    # The same, and all messages of this owner: the planner may read those of the sessions of a type by the primary key.
    "search.count[of_type]": {D.OTHER_OWNERS, D.SESSIONS, D.SESSION},
    "search.page[of_type,backward]": {D.OTHER_OWNERS, D.SESSIONS, D.SESSION},
    "search.page[of_type,forward]": {D.OTHER_OWNERS, D.SESSIONS, D.SESSION},
    # This query of the sweeper scans the whole table, once an hour on one replica (`sweeper.IdleLooks`). An index of
    # the last activity over all owners would take an entry with each append.
    "sweep.idle": {D.OTHER_OWNERS},
}
# Before PostgreSQL 17 the ids in an array are looked up one after the other: here up to 200 sessions of an agent.
KNOWN_TO_GROW_BEFORE_17 = {"session.of_agents": {D.OTHER_OWNERS}}
