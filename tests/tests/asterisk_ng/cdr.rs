//! Call detail records of a test's own, in the MariaDB of this machine.

use sqlx::{AssertSqlSafe, Connection, Executor, MySql, MySqlConnection};

use crate::world::passed_over;

/// Where the server is; by default one on this machine that trusts its callers.
const SERVER: &str = "CORDBOARD_TEST_MARIADB";

/// The columns that the hub reads, as an Asterisk writes them.
const TABLE: &str = "create table cdr (calldate datetime, uniqueid varchar(64), linkedid varchar(64), \
                     disposition varchar(20), recordingfile varchar(120) not null)";

/// A database with a table `cdr`; it is dropped with this value.
pub struct Cdr {
    server: String,
    name: String,
}

impl Cdr {
    /// Makes one. `None` on a machine without MariaDB; never in CI.
    pub async fn create() -> Option<Self> {
        let server = std::env::var(SERVER).unwrap_or_else(|_| "mysql://root@127.0.0.1:3306/".to_owned());
        let mut connection = match MySqlConnection::connect(&server).await {
            Ok(connection) => connection,
            Err(why) => {
                passed_over(&format!(
                    "no MariaDB at {server} ({why}); start one: docker run -d -p 3306:3306 -e \
                     MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1 mariadb:11, or name one in {SERVER}"
                ));
                return None;
            }
        };
        let mut number = [0_u8; 8];
        rustls::crypto::ring::default_provider().secure_random.fill(&mut number).unwrap();
        let name = format!("cordboard_test_{}", hex::encode(number));
        connection.execute(AssertSqlSafe(format!("create database {name}"))).await.unwrap();
        let cdr = Cdr { server, name };
        MySqlConnection::connect(&cdr.url()).await.unwrap().execute(TABLE).await.unwrap();
        Some(cdr)
    }

    /// What the hub is told of it.
    pub fn url(&self) -> String {
        let mut url: reqwest::Url = self.server.parse().unwrap();
        url.set_path(&self.name);
        url.into()
    }

    /// A call that was answered, and the file of its recording.
    pub async fn insert(&self, at: &str, id: &str, linked: &str, file: &str) {
        let mut connection = MySqlConnection::connect(&self.url()).await.unwrap();
        let row = sqlx::query::<MySql>("insert into cdr values (?, ?, ?, 'ANSWERED', ?)");
        row.bind(at).bind(id).bind(linked).bind(file).execute(&mut connection).await.unwrap();
    }
}

impl Drop for Cdr {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // The test's own runtime may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut connection = MySqlConnection::connect(&server).await?;
                connection.execute(AssertSqlSafe(format!("drop database {name}"))).await.map(drop)
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) && !std::thread::panicking() {
            panic!("the test's database {} could not be dropped", self.name);
        }
    }
}
