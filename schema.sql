-- The whole current schema of a snapkey store: everything that was ever learned, dated.
--
-- Evidence is only ever appended. Three columns move, and only outwards: `snapshot.first_at`,
-- `snapshot.last_at` (the interval in which lists agreed on a snapshot) and `hold_seen.last_seen`;
-- so do the totals in `cluster` and `cluster_key_column`, and `import.newest` is settled before its
-- import commits. Nothing is deleted.
--
-- Times are whole seconds since 1970 in UTC. Words in CHECK lists are those of the enums in
-- `src/model`; a test compares the two. A `digest` is the SHA-256 of everything the row says, so
-- the same statement is one row however often it is imported. There is no column for anything
-- that snapkey does not use, so no secret of a raw answer can get in here.

PRAGMA application_id = 1936418169; -- "skey"
PRAGMA user_version = 1;

-- One row per import that added anything.
CREATE TABLE import (
    no     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL CHECK (at BETWEEN 0 AND 253402300799),
    -- The newest date of any evidence that it added: tells whether a store knows anything later
    -- than an instant without reading its snapshots.
    newest INTEGER NOT NULL CHECK (newest BETWEEN 0 AND 253402300799)
) STRICT;

-- Where inventories come from ------------------------------------------------------------------

CREATE TABLE root (
    no       INTEGER PRIMARY KEY,
    digest   BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    source   TEXT NOT NULL CHECK (source IN ('atlas', 'ops-manager', 'files')),
    base_url TEXT NOT NULL,
    scope    TEXT NOT NULL CHECK (scope IN ('all-visible', 'org', 'projects')),
    org      TEXT,
    CHECK ((org IS NOT NULL) = (scope = 'org'))
) STRICT;

-- The projects of a root that was asked for stated projects.
CREATE TABLE root_project (
    root     INTEGER NOT NULL REFERENCES root,
    position INTEGER NOT NULL,
    id       TEXT NOT NULL,
    PRIMARY KEY (root, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE project (
    no       INTEGER PRIMARY KEY,
    id       TEXT NOT NULL,
    base_url TEXT NOT NULL,
    UNIQUE (id, base_url)
) STRICT;

-- One bundle or file: its digest.
CREATE TABLE run (
    no   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- Readings and what they say -------------------------------------------------------------------

-- What a reading said. Readings that say the same share one row: a list that does not change
-- costs one row of `reading` a night.
CREATE TABLE content (
    no                  INTEGER PRIMARY KEY,
    digest              BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    kind                TEXT NOT NULL CHECK (kind IN (
                            'projects', 'project', 'clusters', 'clusters-with-deleted',
                            'shared-clusters', 'snapshots', 'sharded-snapshots',
                            'shared-snapshots', 'schedule', 'settings', 'events', 'restore-jobs',
                            'compliance-policy', 'inventory')),
    restore_window_days INTEGER CHECK (restore_window_days BETWEEN 0 AND 4294967295),
    since               INTEGER CHECK (since BETWEEN 0 AND 253402300799),
    CHECK (restore_window_days IS NULL OR kind IN ('schedule', 'compliance-policy')),
    CHECK (since IS NULL OR kind = 'events')
) STRICT;

CREATE TABLE reading (
    no        INTEGER PRIMARY KEY,
    digest    BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    import    INTEGER NOT NULL REFERENCES import,
    root      INTEGER NOT NULL REFERENCES root,
    project   INTEGER REFERENCES project,
    cluster   TEXT,
    at        INTEGER NOT NULL CHECK (at BETWEEN 0 AND 253402300799),
    run       INTEGER NOT NULL REFERENCES run,
    identity  TEXT,
    outcome   TEXT NOT NULL CHECK (outcome IN ('whole', 'partial', 'refused')),
    gap       TEXT CHECK (gap IN (
                  'page-missing', 'page-failed', 'last-page-full', 'second-pass-missing',
                  'second-pass-differs', 'row-rejected', 'body-unreadable', 'filtered',
                  'old-version', 'wrong-owner', 'file-missing', 'loose-file', 'single-object',
                  'clock-skew')),
    status    INTEGER CHECK (status BETWEEN 0 AND 65535),
    code      TEXT,
    confirmed INTEGER CHECK (confirmed IN (0, 1)),
    content   INTEGER NOT NULL REFERENCES content,
    CHECK ((gap IS NOT NULL) = (outcome = 'partial')),
    CHECK ((status IS NOT NULL) = (outcome = 'refused')),
    CHECK ((confirmed IS NOT NULL) = (outcome = 'refused')),
    CHECK (code IS NULL OR outcome = 'refused')
) STRICT;

CREATE TABLE listed_project (
    content  INTEGER NOT NULL REFERENCES content,
    position INTEGER NOT NULL,
    id       TEXT NOT NULL,
    name     TEXT,
    PRIMARY KEY (content, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE cluster_state (
    content         INTEGER NOT NULL REFERENCES content,
    position        INTEGER NOT NULL,
    id              TEXT,
    name            TEXT NOT NULL,
    sharded         INTEGER CHECK (sharded IN (0, 1)),
    state           TEXT,
    encryption      TEXT CHECK (encryption IN (
                        'none', 'aws', 'azure', 'gcp', 'kmip', 'unrecognised')),
    encryption_text TEXT,
    backup_enabled  INTEGER CHECK (backup_enabled IN (0, 1)),
    pit_enabled     INTEGER CHECK (pit_enabled IN (0, 1)),
    paused          INTEGER CHECK (paused IN (0, 1)),
    dedicated       INTEGER NOT NULL CHECK (dedicated IN (0, 1)),
    version         TEXT,
    instance_size   TEXT,
    PRIMARY KEY (content, position),
    CHECK ((encryption_text IS NOT NULL) = (encryption IS 'unrecognised'))
) STRICT, WITHOUT ROWID;

CREATE TABLE key_settings (
    content  INTEGER NOT NULL REFERENCES content,
    position INTEGER NOT NULL,
    provider TEXT NOT NULL CHECK (provider IN ('aws', 'azure', 'gcp', 'kmip')),
    enabled  INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    key      TEXT,
    region   TEXT,
    valid    INTEGER CHECK (valid IN (0, 1)),
    PRIMARY KEY (content, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE extra_retention (
    content   INTEGER NOT NULL REFERENCES content,
    position  INTEGER NOT NULL,
    frequency TEXT NOT NULL,
    days      INTEGER NOT NULL CHECK (days BETWEEN 0 AND 4294967295),
    PRIMARY KEY (content, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE copy_setting (
    content   INTEGER NOT NULL REFERENCES content,
    position  INTEGER NOT NULL,
    by_number INTEGER NOT NULL CHECK (by_number IN (0, 1)),
    PRIMARY KEY (content, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE copy_item (
    content   INTEGER NOT NULL,
    setting   INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    frequency TEXT NOT NULL,
    unit      TEXT CHECK (unit IN ('days', 'weeks', 'months', 'years')),
    value     INTEGER CHECK (value BETWEEN 0 AND 4294967295),
    PRIMARY KEY (content, setting, position),
    FOREIGN KEY (content, setting) REFERENCES copy_setting (content, position),
    CHECK ((unit IS NULL) = (value IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    content  INTEGER NOT NULL REFERENCES content,
    position INTEGER NOT NULL,
    at       INTEGER NOT NULL CHECK (at BETWEEN 0 AND 253402300799),
    kind     TEXT NOT NULL,
    PRIMARY KEY (content, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE restore_job (
    content       INTEGER NOT NULL REFERENCES content,
    position      INTEGER NOT NULL,
    id            TEXT NOT NULL,
    snapshot      TEXT,
    delivery      TEXT NOT NULL CHECK (delivery IN (
                      'automated', 'download', 'point-in-time', 'unrecognised')),
    delivery_text TEXT,
    finished_at   INTEGER CHECK (finished_at BETWEEN 0 AND 253402300799),
    failed        INTEGER NOT NULL CHECK (failed IN (0, 1)),
    cancelled     INTEGER NOT NULL CHECK (cancelled IN (0, 1)),
    expired       INTEGER NOT NULL CHECK (expired IN (0, 1)),
    PRIMARY KEY (content, position),
    CHECK ((delivery_text IS NOT NULL) = (delivery = 'unrecognised'))
) STRICT, WITHOUT ROWID;

-- Lines of snapkey's own inventory form other than snapshots.
CREATE TABLE declared (
    content  INTEGER NOT NULL REFERENCES content,
    position INTEGER NOT NULL,
    kind     TEXT NOT NULL CHECK (kind IN (
                 'current-key', 'pit-window', 'download', 'restore-job')),
    cluster  TEXT,
    id       TEXT,
    until    INTEGER CHECK (until BETWEEN 0 AND 253402300799),
    PRIMARY KEY (content, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE declared_key (
    content  INTEGER NOT NULL,
    line     INTEGER NOT NULL,
    position INTEGER NOT NULL,
    spelling TEXT NOT NULL,
    PRIMARY KEY (content, line, position),
    FOREIGN KEY (content, line) REFERENCES declared (content, position)
) STRICT, WITHOUT ROWID;

-- Snapshots ------------------------------------------------------------------------------------

CREATE TABLE cluster (
    no          INTEGER PRIMARY KEY,
    project     INTEGER NOT NULL REFERENCES project,
    name        TEXT NOT NULL,
    -- Totals over its rows of `snapshot`: the latest time at which any was shown or made, and
    -- whether any is a sharded one. A question about one key need not read the rows of all others.
    latest_at   INTEGER NOT NULL DEFAULT 0 CHECK (latest_at BETWEEN 0 AND 253402300799),
    has_sharded INTEGER NOT NULL DEFAULT 0 CHECK (has_sharded IN (0, 1)),
    UNIQUE (project, name)
) STRICT;

-- A key id exactly as a snapshot spells it.
CREATE TABLE spelling (
    no   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- What the Encryption Key ID column of a snapshot can say. An estate has few of these, each with
-- many snapshots: so a snapshot refers to the whole column, not to each spelling in it.
CREATE TABLE key_column (
    no     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    kind   TEXT NOT NULL CHECK (kind IN ('absent', 'not-encrypted', 'named'))
) STRICT;

CREATE TABLE key_column_spelling (
    key_column INTEGER NOT NULL REFERENCES key_column,
    position   INTEGER NOT NULL,
    spelling   INTEGER NOT NULL REFERENCES spelling,
    PRIMARY KEY (key_column, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX key_column_by_spelling ON key_column_spelling (spelling, key_column);

-- Which key columns a cluster's snapshots have: the way from a spelling to its snapshots goes
-- spelling -> key_column -> cluster -> snapshot_by_key. The rest are totals over the rows of
-- `snapshot` with this cluster and key column.
CREATE TABLE cluster_key_column (
    cluster         INTEGER NOT NULL REFERENCES cluster,
    key_column      INTEGER NOT NULL REFERENCES key_column,
    -- From when to when they were made, as far as they say.
    made_from       INTEGER CHECK (made_from BETWEEN 0 AND 253402300799),
    made_to         INTEGER CHECK (made_to BETWEEN 0 AND 253402300799),
    -- Some row does not say.
    has_undated     INTEGER NOT NULL DEFAULT 0 CHECK (has_undated IN (0, 1)),
    -- Which shapes they have.
    has_replica_set INTEGER NOT NULL DEFAULT 0 CHECK (has_replica_set IN (0, 1)),
    has_sharded     INTEGER NOT NULL DEFAULT 0 CHECK (has_sharded IN (0, 1)),
    has_shared      INTEGER NOT NULL DEFAULT 0 CHECK (has_shared IN (0, 1)),
    has_own         INTEGER NOT NULL DEFAULT 0 CHECK (has_own IN (0, 1)),
    PRIMARY KEY (cluster, key_column),
    CHECK ((made_from IS NULL) = (made_to IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_key_column_by_key ON cluster_key_column (key_column, cluster);

-- A MongoDB version exactly as a snapshot spells it.
CREATE TABLE mongod_version (
    no   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- One row per distinct thing that lists said about a snapshot. A further list that says the same
-- only widens [first_at, last_at]. That is compaction, not loss: when the lists in between were
-- read is in `reading`.
CREATE TABLE snapshot (
    cluster     INTEGER NOT NULL,
    id          TEXT NOT NULL,
    -- Tells the rows of one snapshot apart; carries no meaning.
    ordinal     INTEGER NOT NULL,
    -- No IN lists here: SQLite builds a table for each of them with every INSERT, which doubles
    -- the time that a million rows take.
    shape       TEXT NOT NULL CHECK (
                    shape = 'replica-set' OR shape = 'sharded' OR shape = 'shared'
                    OR shape = 'own'),
    status      TEXT NOT NULL CHECK (
                    status = 'completed' OR status = 'queued' OR status = 'in-progress'
                    OR status = 'failed' OR status = 'unrecorded' OR status = 'unrecognised'),
    status_text TEXT,
    created_at  INTEGER CHECK (created_at BETWEEN 0 AND 253402300799),
    expires_at  INTEGER CHECK (expires_at BETWEEN 0 AND 253402300799),
    keep        INTEGER NOT NULL CHECK (keep IN (0, 1)),
    frequency   TEXT,
    copied      INTEGER NOT NULL CHECK (copied IN (0, 1)),
    -- A `mongod_version`; no REFERENCES, which would look it up with every INSERT.
    version     INTEGER,
    key_column  INTEGER NOT NULL,
    first_at    INTEGER NOT NULL CHECK (first_at BETWEEN 0 AND 253402300799),
    last_at     INTEGER NOT NULL CHECK (last_at BETWEEN 0 AND 253402300799),
    -- The order in which the rules want them: no sort of a million rows.
    PRIMARY KEY (cluster, id, ordinal),
    FOREIGN KEY (cluster, key_column) REFERENCES cluster_key_column,
    CHECK ((status_text IS NOT NULL) = (status = 'unrecognised')),
    CHECK (first_at <= last_at)
) STRICT, WITHOUT ROWID;
-- From a key (or a cluster's keys) to its snapshots in order of creation.
CREATE INDEX snapshot_by_key ON snapshot (cluster, key_column, created_at);

-- Snapshots whose rows do not agree on when they were made: in `snapshot_by_key` they are in more
-- than one place.
CREATE TABLE snapshot_redated (
    cluster INTEGER NOT NULL REFERENCES cluster,
    id      TEXT NOT NULL,
    PRIMARY KEY (cluster, id)
) STRICT, WITHOUT ROWID;

-- What the key services said -------------------------------------------------------------------

-- A key in canonical text.
CREATE TABLE key (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE observation (
    no        INTEGER PRIMARY KEY,
    digest    BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    import    INTEGER NOT NULL REFERENCES import,
    key       INTEGER NOT NULL REFERENCES key,
    at        INTEGER NOT NULL CHECK (at BETWEEN 0 AND 253402300799),
    condition TEXT NOT NULL CHECK (condition IN (
                  'enabled', 'unwrap-only', 'disabled', 'pending-deletion', 'soft-deleted',
                  'material-missing', 'unavailable', 'transient', 'destroyed', 'unknown')),
    -- Expiry, deadline or purge date.
    date      INTEGER CHECK (date BETWEEN 0 AND 253402300799),
    reason    TEXT CHECK (reason IN (
                  'not-found', 'access-denied', 'credentials', 'throttled', 'unreachable',
                  'wrong-scope', 'malformed', 'unrecognised-state', 'backing-key-unverified',
                  'unsupported')),
    -- Why it only unwraps, what is disconnected, the proof of destruction, more on the reason.
    detail    TEXT,
    native    TEXT,
    endpoint  TEXT NOT NULL,
    identity  TEXT,
    stale_at  INTEGER CHECK (stale_at BETWEEN 0 AND 253402300799),
    CHECK (date IS NULL OR condition IN ('enabled', 'pending-deletion', 'soft-deleted')),
    CHECK ((reason IS NOT NULL) = (condition = 'unknown')),
    CHECK (detail IS NULL OR condition IN ('unwrap-only', 'unavailable', 'destroyed', 'unknown')),
    CHECK (detail IS NOT NULL OR condition NOT IN ('unwrap-only', 'destroyed'))
) STRICT;
-- The newest answer of a key, without reading the others.
CREATE INDEX observation_by_key ON observation (key, at);

CREATE TABLE observation_related (
    observation INTEGER NOT NULL REFERENCES observation,
    position    INTEGER NOT NULL,
    key         INTEGER NOT NULL REFERENCES key,
    PRIMARY KEY (observation, position)
) STRICT, WITHOUT ROWID;

-- What people said -----------------------------------------------------------------------------

-- `snapkey download forget`.
CREATE TABLE forgotten (
    id     TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL CHECK (at BETWEEN 0 AND 253402300799),
    PRIMARY KEY (at, id, reason)
) STRICT, WITHOUT ROWID;

-- Holds of `snapkey.toml`, so that one that vanishes is noticed.
CREATE TABLE hold_seen (
    no         INTEGER PRIMARY KEY,
    key        TEXT NOT NULL,
    until      INTEGER CHECK (until BETWEEN 0 AND 253402300799),
    first_seen INTEGER NOT NULL CHECK (first_seen BETWEEN 0 AND 253402300799),
    last_seen  INTEGER NOT NULL CHECK (last_seen BETWEEN 0 AND 253402300799),
    CHECK (first_seen <= last_seen)
) STRICT;
-- An absent date is not equal to another absent one, hence the expression (no date is -1).
CREATE UNIQUE INDEX hold_seen_once ON hold_seen (key, ifnull(until, -1));
