//! The database goes away and comes back: nothing is acknowledged meanwhile, and nobody has to restart the hub.

use std::sync::atomic::AtomicBool;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

use super::*;

/// A way to the server that can be cut.
struct Way {
    is_cut: Arc<AtomicBool>,
    cut: broadcast::Sender<()>,
    port: u16,
}

impl Way {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, _) = broadcast::channel(1);
        let way = Way { is_cut: Arc::default(), cut: cut.clone(), port };
        let is_cut = way.is_cut.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let mut end = cut.subscribe();
                let server = server.clone();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = end.recv() => {}
                    }
                });
            }
        });
        way
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        let _ = self.cut.send(());
    }

    fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

both! {
    async fn of_the_server(bench) {
        if !bench.is_postgres() {
            return;
        }
        let mut url = url::Url::parse(&bench.url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let way = Way::to(server).await;
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(way.port)).unwrap();
        let store = Store::open(url.as_str(), bench.options()).await.unwrap();
        let routes = to("crm");
        store.commit(intake(vec![ringing("a")], &routes)).await.unwrap();

        way.cut();
        let gone = store.commit(intake(vec![ringing("b")], &routes)).await.unwrap_err();
        assert!(matches!(gone, StoreError::Unavailable(_)), "{gone}");
        assert!(gone.passing());
        assert!(store.ping().await.is_err());
        assert!(matches!(store.claim(&lane(), 1, LEASE).await, Err(StoreError::Unavailable(_))));

        way.mend();
        let back = store.commit(intake(vec![ringing("b")], &routes)).await.unwrap();
        assert_eq!(back.events.len(), 1);
        assert_eq!(store.last_seq("acme").await.unwrap(), 2);

        // Cut while nobody looks: the next commit finds a dead connection, and does not let it show.
        way.cut();
        tokio::time::sleep(Duration::from_millis(50)).await;
        way.mend();
        store.commit(intake(vec![ended("b")], &routes)).await.unwrap();
    }
}
