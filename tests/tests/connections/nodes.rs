//! Several nodes on one store: one of them holds a connection.

use cordboard_tests::database::Database;
use cordboard_tests::hub::Hub;
use cordboard_tests::line::LineServer;

use crate::world::{connection, reaches, setup, stands};

#[tokio::test]
async fn one_node_holds_a_connection_and_another_takes_it_over() {
    let Some(database) = Database::create().await else { return };
    let server = LineServer::start().await;
    let setup = setup(&format!("tcp://127.0.0.1:{}", server.port())).on(&database.url());
    let mut first = Hub::start(setup.clone()).await;
    server.connected(1).await;
    stands(&first, "connected").await;
    let second = Hub::start(setup).await;
    let shown = stands(&second, "elsewhere").await;
    assert!(shown["why"].as_str().unwrap().contains("another node"), "{shown}");
    server.say("CALL 1 ringing");
    reaches(&second, "1", "ringing").await;
    assert_eq!(server.connects(), 1);

    first.stop().await;
    server.connected(2).await;
    stands(&second, "connected").await;
    // What the first one left open is told to the session of the second.
    reaches(&second, "1", "ended").await;
    assert_eq!(connection(&second).await["connects"], 1);
}
