//! When asked to stop, the server finishes running requests and accepts no new ones.

use std::io::Read as _;
use std::net::TcpStream;

use futures::future::join_all;
use hufu_sandbox::Fault;
use hufu_testkit::on_both_engines;
use serde_json::Value;

use crate::support::{Instance, TIMEOUT, eventually};

on_both_engines! {
    async fn what_runs_is_finished_and_nobody_else_gets_in(database) {
        let instance = Instance::ready(database).await;
        let server = instance.serve().await;
        let slow = Fault {
            path: Some("/sns/jscode2session".to_owned()),
            delay_ms: 1_500,
            count: 4,
            ..Fault::default()
        };
        instance.sandbox.add_fault(slow).unwrap();
        // Clients keep connections open, used or unused. None of them delays the server.
        let unused = TcpStream::connect(server.address).unwrap();
        assert!(!server.client.is_logged_in("none").await);

        let client = server.client.clone();
        let codes: Vec<String> = (0..4).map(|_| instance.code(None)).collect();
        let logins = tokio::spawn(async move {
            join_all(codes.iter().enumerate().map(async |(number, code)| {
                if number % 2 == 0 { client.log_in(code).await } else { client.log_in_v3(code).await }
            }))
            .await
        });
        eventually("WeChat is asked", async || instance.sandbox.calls(0).len() == 4).await;
        server.process.terminate();
        eventually("no connection is let in", async || TcpStream::connect(server.address).is_err()).await;
        assert!(!logins.is_finished(), "the logins still ran when the door was shut");

        let tokens: Vec<String> = logins.await.unwrap().iter().map(|answer| answer.token()).collect();
        unused.set_read_timeout(Some(TIMEOUT)).unwrap();
        assert_eq!((&unused).read(&mut [0]).unwrap(), 0, "the connection is closed");
        let ran = server.process.finish().await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let last: Value = serde_json::from_str(ran.err.lines().last().unwrap()).unwrap();
        assert_eq!((&last["level"], &last["message"]), (&"INFO".into(), &"stopped".into()), "{ran:?}");

        // The last confirmed login is there.
        let server = instance.serve().await;
        for token in tokens {
            assert!(server.client.is_logged_in(&token).await);
        }
        assert_eq!(server.stop().await.code, Some(0));
    }
}
