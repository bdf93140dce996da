//! Sealed columns, for the change of the sealing key.
//!
//! A sealed value begins with a version and the id of its key. So the values that a key seals are found by how they
//! begin, in every table. Those that last are sealed again; the others end by themselves within days.

use hufu_types::Timestamp;

use crate::{Read, StoreError, Tx, Write, statements};

/// How long a beginning is: the version and the id of the key.
macro_rules! begins {
    ($column:literal) => {
        concat!("substr(", $column, ", 1, 9) = $1")
    };
}

/// Declares the columns of sealed values that last, with the statements that find and replace them. Rows are named by
/// two columns; one that needs but one has it twice.
macro_rules! lasting {
    ($($name:ident: $table:literal $column:literal by $first:literal $second:literal,
       $count:ident $list:ident $set:ident;)*) => {
        statements! {
            $($count = concat!("SELECT COUNT(*) FROM ", $table, " WHERE ", begins!($column));
            $list = concat!(
                "SELECT ", $first, ", ", $second, ", ", $column, " FROM ", $table, " WHERE ", begins!($column),
                " ORDER BY ", $first, ", ", $second, " LIMIT $2"
            );
            // Whoever has changed the value in the meantime has sealed it with the new key.
            $set = concat!(
                "UPDATE ", $table, " SET ", $column, " = $4 WHERE ", $first, " = $1 AND ", $second, " = $2 AND ",
                $column, " = $3"
            );)*
            COUNT_FACTS = "SELECT COUNT(*) FROM instance WHERE substr(value, 1, 18) = $1";
            LIST_FACTS = "SELECT key, key, value FROM instance WHERE substr(value, 1, 18) = $1 ORDER BY key LIMIT $2";
            SET_FACT = "UPDATE instance SET value = $3 WHERE key = $1 AND value = $2";
            SWITCH = "UPDATE instance SET value = $2 WHERE key = $1 AND value <> $2";
            REPORT = "
                INSERT INTO sealing_nodes (node, key_ids, seen_at) VALUES ($1, $2, $3)
                ON CONFLICT (node) DO UPDATE SET key_ids = excluded.key_ids, seen_at = excluded.seen_at";
            NODES = "SELECT node, key_ids, seen_at FROM sealing_nodes WHERE seen_at >= $1 ORDER BY node";
            FORGET_NODES = "DELETE FROM sealing_nodes WHERE seen_at < $1";
            COUNT_EXCHANGES = concat!("SELECT COUNT(*) FROM exchanges WHERE ", begins!("sealed"));
            COUNT_FLOWS = concat!("SELECT COUNT(*) FROM login_flows WHERE ", begins!("proof"));
            COUNT_STEPS = concat!("SELECT COUNT(*) FROM step_tokens WHERE ", begins!("sealed"));
            COUNT_DEVICES = concat!("SELECT COUNT(*) FROM device_codes WHERE ", begins!("sealed_code"));
            COUNT_STARTS = concat!("SELECT COUNT(*) FROM source_logins WHERE ", begins!("purpose"));
            COUNT_TICKETS = concat!(
                "SELECT COUNT(*) FROM qr_tickets WHERE ", begins!("details"), " OR ", begins!("proof"), " OR ",
                begins!("shown")
            );
            COUNT_APP_TOKENS = concat!("SELECT COUNT(*) FROM app_tokens WHERE ", begins!("token"));
            COUNT_MESSAGES = concat!("SELECT COUNT(*) FROM wechat_messages WHERE ", begins!("body"));
            COUNT_JOBS = concat!("SELECT COUNT(*) FROM jobs WHERE ", begins!("payload"));
        }

        /// A column whose sealed values last.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Lasting {
            $(
                #[doc = concat!("`", $table, ".", $column, "`.")]
                $name,
            )*
            /// Facts of the instance, which are in hexadecimal.
            Fact,
        }

        impl Lasting {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)* Self::Fact];

            /// The table and the column.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($table, ".", $column),)*
                    Self::Fact => "instance.value",
                }
            }

            const fn statements(self) -> [&'static str; 3] {
                match self {
                    $(Self::$name => [$count, $list, $set],)*
                    Self::Fact => [COUNT_FACTS, LIST_FACTS, SET_FACT],
                }
            }
        }
    };
}

lasting! {
    Connection: "connections" "settings" by "pool_id" "id", COUNT_CONNECTIONS LIST_CONNECTIONS SET_CONNECTION;
    OldConnection: "connections" "app_secret" by "pool_id" "id", COUNT_OLD LIST_OLD SET_OLD;
    Sender: "senders" "sealed" by "pool_id" "channel", COUNT_SENDERS LIST_SENDERS SET_SENDER;
    Webhook: "webhooks" "secret" by "pool_id" "id", COUNT_WEBHOOKS LIST_WEBHOOKS SET_WEBHOOK;
    WebhookBefore: "webhooks" "previous_secret" by "pool_id" "id", COUNT_BEFORE LIST_BEFORE SET_BEFORE;
    ManagementKey: "management_keys" "secret" by "pool_id" "id", COUNT_MANAGEMENT LIST_MANAGEMENT SET_MANAGEMENT;
    SigningKey: "signing_keys" "sealed" by "id" "algorithm", COUNT_SIGNING LIST_SIGNING SET_SIGNING;
    PasswordKey: "password_keys" "sealed" by "kind" "kind", COUNT_PASSWORD LIST_PASSWORD SET_PASSWORD;
}

/// The columns whose sealed values end by themselves, and the statements that count them.
pub const PASSING: &[(&str, &str)] = &[
    ("exchanges.sealed", COUNT_EXCHANGES),
    ("login_flows.proof", COUNT_FLOWS),
    ("step_tokens.sealed", COUNT_STEPS),
    ("device_codes.sealed_code", COUNT_DEVICES),
    ("source_logins.purpose", COUNT_STARTS),
    ("qr_tickets.details, qr_tickets.proof, qr_tickets.shown", COUNT_TICKETS),
    ("app_tokens.token", COUNT_APP_TOKENS),
    ("wechat_messages.body", COUNT_MESSAGES),
    ("jobs.payload", COUNT_JOBS),
];

/// A sealed value and the row that it is in.
#[derive(Clone)]
pub struct SealedValue {
    /// The columns that name the row.
    pub row: (String, String),
    /// The value.
    pub sealed: Vec<u8>,
}

/// Counts the values that begin so, by column: those that last, and those that end by themselves.
pub struct CountSealed(pub Vec<u8>);

impl Read for CountSealed {
    type Out = (Vec<(&'static str, i64)>, Vec<(&'static str, i64)>);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let (mut lasting, mut passing) = (Vec::new(), Vec::new());
        for column in Lasting::ALL {
            lasting.push((column.as_str(), count(tx, *column, &self.0).await?));
        }
        for (name, statement) in PASSING {
            let found = tx.optional(statement, &[(&self.0).into()], |row| row.get(0)).await?;
            passing.push((*name, found.unwrap_or_default()));
        }
        Ok((lasting, passing))
    }
}

async fn count(tx: &mut Tx<'_>, column: Lasting, begins: &[u8]) -> Result<i64, StoreError> {
    let [count, ..] = column.statements();
    let hex = hex::encode(begins);
    let value = if column == Lasting::Fact { (&hex).into() } else { begins.into() };
    Ok(tx.optional(count, &[value], |row| row.get(0)).await?.unwrap_or_default())
}

/// Reads values of a column that begin so.
pub struct ListSealed {
    /// The column.
    pub column: Lasting,
    /// How they begin.
    pub begins: Vec<u8>,
    /// The maximum number.
    pub limit: i64,
}

impl Read for ListSealed {
    type Out = Vec<SealedValue>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<SealedValue>, StoreError> {
        let [_, list, _] = self.column.statements();
        if self.column == Lasting::Fact {
            let hex = hex::encode(&self.begins);
            return tx
                .all(list, &[(&hex).into(), self.limit.into()], |row| {
                    let sealed = hex::decode(row.get::<String>(2)?);
                    let sealed = sealed.map_err(|_| StoreError::Corrupt { column: "value" })?;
                    Ok(SealedValue { row: (row.get(0)?, row.get(1)?), sealed })
                })
                .await;
        }
        tx.all(list, &[(&self.begins).into(), self.limit.into()], |row| {
            Ok(SealedValue { row: (row.get(0)?, row.get(1)?), sealed: row.get(2)? })
        })
        .await
    }
}

/// Replaces values of a column by the same, sealed again. Those that changed in the meantime are left alone.
pub struct ReplaceSealed {
    /// The column.
    pub column: Lasting,
    /// What was there, and what takes its place.
    pub values: Vec<(SealedValue, Vec<u8>)>,
}

impl Write for ReplaceSealed {
    /// How many were replaced.
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        let [.., set] = self.column.statements();
        let mut replaced = 0;
        for (SealedValue { row: (first, second), sealed }, new) in &self.values {
            replaced += if self.column == Lasting::Fact {
                let (before, after) = (hex::encode(sealed), hex::encode(new));
                tx.execute(set, &[first.into(), (&before).into(), (&after).into()]).await?
            } else {
                tx.execute(set, &[first.into(), second.into(), sealed.into(), new.into()]).await?
            };
        }
        Ok(replaced)
    }
}

/// Makes another key the one that seals. Returns whether it was another one.
pub async fn switch(tx: &mut Tx<'_>, id: &str) -> Result<bool, StoreError> {
    let key = crate::instance::Fact::SealingKeyId.key();
    Ok(tx.execute(SWITCH, &[key.into(), id.into()]).await? == 1)
}

/// A node, and the keys that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeKeys {
    /// The name of the node.
    pub node: String,
    /// The ids of its keys. The one that seals comes first.
    pub keys: Vec<String>,
    /// When it last said so.
    pub seen_at: Timestamp,
}

/// Notes which keys a node has, and forgets nodes that have not been seen since a time.
pub struct ReportNode {
    /// The node.
    pub node: NodeKeys,
    /// Since when.
    pub forget: Timestamp,
}

impl Write for ReportNode {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let NodeKeys { node, keys, seen_at } = &self.node;
        tx.execute(REPORT, &[node.into(), (&keys.join(" ")).into(), (*seen_at).into()]).await?;
        tx.execute(FORGET_NODES, &[self.forget.into()]).await.map(drop)
    }
}

/// Reads which keys the nodes have that have been seen since a time.
pub struct ListNodes(pub Timestamp);

impl Read for ListNodes {
    type Out = Vec<NodeKeys>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<NodeKeys>, StoreError> {
        tx.all(NODES, &[self.0.into()], |row| {
            let keys: String = row.get(1)?;
            let keys = keys.split(' ').map(str::to_owned).collect();
            Ok(NodeKeys { node: row.get(0)?, keys, seen_at: Timestamp(row.get(2)?) })
        })
        .await
    }
}
