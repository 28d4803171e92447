//! A PostgreSQL database of a test's own.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

/// Where the server is; by default one on this machine that trusts its callers.
pub const SERVER: &str = "CORDBOARD_TEST_POSTGRES";

/// Passes over tests that need PostgreSQL, on a machine that has none.
pub const SKIP: &str = "CORDBOARD_SKIP_POSTGRES";

/// An empty database; it is dropped with this value.
#[derive(Debug)]
pub struct Database {
    server: PgConnectOptions,
    name: String,
}

impl Database {
    /// Makes one. `None` on a machine without PostgreSQL whose owner said so; never in CI.
    ///
    /// # Panics
    /// When there is no server: the sentence says how to start one.
    pub async fn create() -> Option<Self> {
        let address = std::env::var(SERVER).unwrap_or_else(|_| "postgres://postgres@127.0.0.1/postgres".to_owned());
        let said = |name: &str, value: &str| std::env::var(name).is_ok_and(|said| said == value);
        if said(SKIP, "1") && !said("CI", "true") {
            return None;
        }
        let server: PgConnectOptions = address.parse().expect("an address of a PostgreSQL server");
        let mut connection = server.connect().await.unwrap_or_else(|why| {
            panic!(
                "no PostgreSQL at {address} ({why}).\nStart one: docker run -d -p 5432:5432 -e \
                 POSTGRES_HOST_AUTH_METHOD=trust postgres:15\nOr name one in {SERVER}, or pass over these tests with \
                 {SKIP}=1."
            )
        });
        let mut number = [0_u8; 8];
        rustls::crypto::ring::default_provider().secure_random.fill(&mut number).expect("a random number");
        let name = format!("cordboard_test_{}", hex::encode(number));
        connection.execute(AssertSqlSafe(format!("create database {name}"))).await.expect("a database");
        let _ = connection.close().await;
        Some(Self { server, name })
    }

    /// What stands under `store` in a hub's configuration.
    pub fn url(&self) -> String {
        self.server.clone().database(&self.name).to_url_lossy().to_string()
    }

    /// The same, by another port of this machine.
    pub fn url_through(&self, port: u16) -> String {
        let server = self.server.clone().host("127.0.0.1").port(port).database(&self.name);
        server.to_url_lossy().to_string()
    }

    /// Where the server listens.
    pub fn address(&self) -> String {
        format!("{}:{}", self.server.get_host(), self.server.get_port())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // The test's own runtime may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut connection = server.connect().await?;
                connection.execute(AssertSqlSafe(format!("drop database {name} with (force)"))).await.map(drop)
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) && !std::thread::panicking() {
            panic!("the test's database {} could not be dropped", self.name);
        }
    }
}
