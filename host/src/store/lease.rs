//! Exclusive rights over the whole cluster: who logs in, who holds a connection.

use std::time::Duration;

use super::db::args;
use super::{Result, Store, claim_number, span};

/// An exclusive right over the whole cluster, until it is released, dropped, or its time ends.
pub struct Lease {
    store: Store,
    name: String,
    owner: i64,
    is_held: bool,
}

impl Store {
    /// The exclusive right of this name, if nobody holds it. It ends by itself after `ttl`, unless it is renewed.
    pub async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>> {
        let owner = claim_number();
        let clock = self.db().clock();
        let sql = format!(
            "insert into lease as l (name, owner, until) values ($1, $2, {clock} + $3)
             on conflict (name) do update set owner = excluded.owner, until = excluded.until where l.until <= {clock}"
        );
        let taken = self.db().execute(sql, args![name, owner, span(ttl)]).await? > 0;
        Ok(taken.then(|| Lease { store: self.clone(), name: name.to_owned(), owner, is_held: true }))
    }
}

impl Lease {
    /// Prolongs it; false when it was lost.
    pub async fn renew(&self, ttl: Duration) -> Result<bool> {
        let clock = self.store.db().clock();
        let sql = format!("update lease set until = {clock} + $3 where name = $1 and owner = $2");
        Ok(self.store.db().execute(sql, args![&self.name, self.owner, span(ttl)]).await? > 0)
    }

    /// Gives it back at once.
    pub async fn release(mut self) -> Result<()> {
        self.is_held = false;
        give_back(&self.store, &self.name, self.owner).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.is_held {
            let (store, name, owner) = (self.store.clone(), std::mem::take(&mut self.name), self.owner);
            // When this fails, the lease ends by its time.
            runtime.spawn(async move { give_back(&store, &name, owner).await });
        }
    }
}

async fn give_back(store: &Store, name: &str, owner: i64) -> Result<()> {
    store.db().execute("delete from lease where name = $1 and owner = $2", args![name, owner]).await.map(drop)
}
