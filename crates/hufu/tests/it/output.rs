//! What the program does when nobody reads its output any more, as in `hufu try | head -5`.

use std::process::Stdio;

use hufu_testkit::on_both_engines;

use crate::support::{Instance, POOL, Process, hufu};

/// The exit code that a shell reports for Unix tools whose output is closed: 128 and the number of SIGPIPE.
const CLOSED: i32 = 141;

/// Runs a command whose standard output is closed from the start.
fn unread(command: &mut std::process::Command) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ran = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
}

on_both_engines! {
    async fn commands_end_quietly_when_their_output_is_closed(database) {
        let instance = Instance::empty(database).await;
        let quiet = (Some(CLOSED), String::new());
        assert_eq!(unread(&mut instance.command(&["migrate"])), quiet);
        // The work was done before its result was printed.
        assert_eq!(instance.run(&["migrate"]).await.succeeded(), "The schema is up to date.\n");
        instance.prepare().await;
        instance.run(&["admin", "create-key", "--name", "first", "--role", "owner"]).await.succeeded();
        assert_eq!(unread(&mut instance.command(&["admin", "list-keys"])), quiet);
        assert_eq!(unread(&mut instance.command(&["apply", "world.toml", "--dry-run"])), quiet);
        instance.write("people.json", "[{\"username\":\"anna\"}]");
        instance.run(&["import", "--pool", POOL, "people.json"]).await.succeeded();
        assert_eq!(unread(&mut instance.command(&["export", "--pool", POOL])), quiet);
    }
}

#[tokio::test]
async fn try_ends_quietly_when_its_output_is_closed() {
    assert_eq!(
        unread(hufu().args(["try", "--sandbox", "http://127.0.0.1:9"])),
        (Some(CLOSED), String::new())
    );
    let read = Process::start(hufu().args(["try", "--sandbox", "http://127.0.0.1:9"])).finish().await;
    assert!(read.code == Some(1) && read.err.contains("is `hufu dev` running?"), "{read:?}");
}
