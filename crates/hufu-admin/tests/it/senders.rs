//! `/admin/v1`: senders with test messages, templates with previews.

use hufu_testkit::administration::{call, call_if, key};
use hufu_testkit::smtp::{Behaviour, Server};
use hufu_testkit::world::{Plan, SHOP, World};
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::roles::{PASSWORD, made_key};
use crate::shop::{at, fields};

on_both_engines! {
    /// A sender is set, changed, and removed. Its secrets are never shown, and stay if a patch leaves them out.
    async fn a_senders_life(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let send = async |method: &str, path: &str, body: Option<Value>| call(&world, Some(&owner), method, path, body).await;
        let path = at("/senders/email");
        assert_eq!(send("GET", &path, None).await.is(404)["code"], 2446);
        send("DELETE", &path, None).await.is(404);
        send("GET", &at("/senders/pigeon"), None).await.is(404);
        assert_eq!(send("GET", &at("/senders"), None).await.is(200), json!({ "senders": [] }));
        for (patch, expected) in [
            (json!({}), &["provider"][..]),
            (json!({ "provider": "pigeon" }), &["provider"]),
            (json!({ "provider": "smtp" }), &["from", "host"]),
            (json!({ "provider": "smtp", "host": "a", "from": "x", "port": 0, "timeoutSeconds": 301 }), &["port", "timeoutSeconds"]),
            (json!({ "provider": "smtp", "host": "mail.example.com", "from": "no address" }), &["from"]),
            (json!({ "provider": "smtp", "host": " ", "from": "a@example.com", "shoe": 1 }), &["host", "shoe"]),
            (json!({ "provider": "smtp", "host": "h", "from": "a@example.com", "encryption": "rot13" }), &["encryption"]),
            (json!({ "provider": "smtp", "host": "h", "from": "a@example.com", "username": "u", "password": " secret" }), &["password"]),
            (json!({ "provider": "smtp", "host": "h", "from": "a@example.com", "signName": "x" }), &["signName"]),
        ] {
            assert_eq!(fields(send("PATCH", &path, Some(patch.clone())).await), expected, "{patch}");
        }
        let password = "the-password-of-the-mailer";
        world.secret(password);
        let new = json!({
            "provider": "smtp", "host": "mail.example.com", "from": "Shop <no-reply@example.com>", "username": "mailer",
            "password": password, "revision": 0,
        });
        let made = send("PATCH", &path, Some(new.clone())).await.is(200);
        assert_eq!((&made["channel"], &made["secrets"]), (&json!("email"), &json!({ "password": true })));
        assert_eq!((&made["host"], &made["port"], &made["encryption"]), (&json!("mail.example.com"), &Value::Null, &json!("starttls")));
        assert!(!made.to_string().contains(password));
        // Revision 0 means that there is none yet.
        let late = send("PATCH", &path, Some(new)).await.is(409);
        assert_eq!((&late["code"], &late["present"]), (&json!(2444), &made));
        assert_eq!(send("GET", &path, None).await.is(200), made);
        assert_eq!(send("GET", &at("/senders"), None).await.is(200)["senders"], json!([made]));

        // The password is still there: without the username it would be refused.
        assert_eq!(fields(send("PATCH", &path, Some(json!({ "username": null }))).await).len(), 1);
        // Whoever changes where messages go does not get the password sent there.
        for elsewhere in [json!({ "port": 2525 }), json!({ "host": "mx.evil.example" }), json!({ "encryption": "none" })] {
            assert_eq!(fields(send("PATCH", &path, Some(elsewhere.clone())).await), ["password"], "{elsewhere}");
        }
        let patch = json!({ "port": 2525, "password": password });
        let changed = send("PATCH", &path, Some(patch)).await.is(200);
        assert_eq!((&changed["port"], &changed["secrets"]["password"]), (&json!(2525), &json!(true)));
        let all = send("PATCH", &path, Some(changed.clone())).await.is(200);
        assert_eq!(all, changed, "what is shown can be sent back");
        let tag = format!("\"{}\"", made["revision"]);
        let stale = call_if(&world, Some(&owner), "PATCH", &path, Some(json!({ "timeoutSeconds": 9 })), Some(&tag)).await.is(409);
        assert_eq!(stale["present"], changed);
        call_if(&world, Some(&owner), "DELETE", &path, None, Some(&tag)).await.is(409);
        let without = send("PATCH", &path, Some(json!({ "username": null, "password": null }))).await.is(200);
        assert_eq!(without["secrets"], json!({ "password": false }));

        // Another provider has none of the keys.
        let other = send("PATCH", &path, Some(json!({ "provider": "outbox" }))).await.is(200);
        assert_eq!((other.get("host"), &other["secrets"]), (None, &json!({})));
        send("DELETE", &path, None).await.is(204);
        send("GET", &path, None).await.is(404);
        let log = send("GET", &at("/audit?action=configuration.changed"), None).await.is(200).to_string();
        assert!(log.contains("password") && !log.contains(password), "{log}");
    }

    /// An HTTP gateway: its address, headers and body may have secrets, so they are replaced as a whole and never shown.
    async fn a_gateway_keeps_its_secrets(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let path = at("/senders/sms");
        let patch = async |body: Value| call(&world, Some(&owner), "PATCH", &path, Some(body)).await;
        let secret = "a-token-in-a-header";
        world.secret(secret);
        let made = patch(json!({
            "provider": "http", "url": "https://sms.example.com/send?key=url-secret", "headers": { "X-Api_Key": secret },
            "body": { "to": "{{phone}}", "text_of_it": "{{text}}", "accessKey": "body-secret" },
            "accepted": { "pointer": "/code", "equals": { "a_b": 0 } },
        })).await.is(200);
        assert_eq!(made["secrets"], json!({ "url": true, "headers": true, "body": true }));
        assert_eq!(made["accepted"], json!({ "pointer": "/code", "equals": { "a_b": 0 } }));
        for hidden in ["url-secret", secret, "body-secret"] {
            assert!(!made.to_string().contains(hidden), "{made}");
        }
        let export = world.export(SHOP).await;
        assert!(export.contains("X-Api_Key") && export.contains("text_of_it") && export.contains("accessKey"), "{export}");
        assert_eq!(fields(patch(json!({ "body": { "to": "{{nobody}}" } })).await), ["body"]);
        assert_eq!(fields(patch(json!({ "body": null })).await), ["body"]);
        // Another address gets none of the secrets of the one before.
        assert_eq!(fields(patch(json!({ "url": "https://evil.example/" })).await), ["body"]);
        assert_eq!(fields(patch(json!({ "url": "ftp://x", "body": {} })).await), ["url"]);
        assert_eq!(fields(patch(json!({ "accepted": { "equals": null } })).await), ["accepted.equals"]);
        let without = patch(json!({ "headers": null })).await.is(200);
        assert_eq!(without["secrets"], json!({ "url": true, "headers": false, "body": true }));
        for (provider, expected) in [
            ("aliyun", &["accessKeyId", "accessKeySecret", "signName", "templateCode"][..]),
            ("tencent", &["sdkAppId", "secretId", "secretKey", "templateId"]),
        ] {
            assert_eq!(fields(patch(json!({ "provider": provider })).await), expected);
        }
        let tencent = patch(json!({
            "provider": "tencent", "secretId": "id", "secretKey": "the-key", "sdkAppId": "1400000000", "templateId": "1",
            "templateIds": { "resetPassword": "2" }, "parameters": ["code", "minutes"],
        })).await.is(200);
        assert_eq!((&tencent["templateIds"]["resetPassword"], &tencent["secrets"]), (&json!("2"), &json!({ "secretKey": true })));
        assert_eq!(fields(patch(json!({ "templateIds": { "wedding": "3" } })).await), ["templateIds.wedding"]);
    }

    /// A test message goes out at once. What the provider says comes back, and how often is limited.
    async fn a_test_message_is_sent(database) {
        let world = Plan::new().limits(|limits| limits.sender_tests = 4).build(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let path = at("/senders/email/test");
        let test = async |path: &str, body: Value| call(&world, Some(&owner), "POST", path, Some(body)).await;
        test(&path, json!({ "to": "nobody" })).await.is(422);
        test(&path, json!({})).await.is(422);
        test(&path, json!({ "to": "bob@example.com", "cc": "x" })).await.is(422);
        test(&at("/senders/sms/test"), json!({ "to": "+12025550123" })).await.is(422);
        let sent = test(&path, json!({ "to": "bob@example.com", "language": "ja" })).await.is(200);
        assert_eq!(sent, json!({ "sent": true }));
        let message = world.outbox().list().remove(0);
        assert_eq!((message.to.as_str(), message.code.as_deref()), ("bob@example.com", Some("123456")));
        test(&at("/senders/sms/test"), json!({ "to": "+8613800000001" })).await.is(200);
        assert_eq!(world.outbox().list().remove(0).to, "+8613800000001");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let broken = json!({ "provider": "smtp", "host": "127.0.0.1", "port": port, "encryption": "none", "from": "a@example.com" });
        call(&world, Some(&owner), "PATCH", &at("/senders/email"), Some(broken)).await.is(200);
        let failed = test(&path, json!({ "to": "bob@example.com" })).await.is(200);
        assert_eq!((&failed["sent"], &failed["provider"], &failed["fault"]), (&json!(false), &json!("smtp"), &json!("temporary")));
        assert!(failed["advice"].as_str().unwrap().contains("请重试") && !failed.to_string().contains("bob@"), "{failed}");
        test(&path, json!({ "to": "bob@example.com" })).await.is(200);
        assert_eq!(test(&path, json!({ "to": "bob@example.com" })).await.is(429)["code"], 1002);
        let log = call(&world, Some(&owner), "GET", &at("/audit?action=sender.tested"), None).await.is(200);
        assert_eq!(log["events"].as_array().unwrap().len(), 4, "{log}");
        assert!(!log.to_string().contains("bob@") && !log.to_string().contains("13800000001"), "{log}");
    }

    /// A mail server at an address that is not public is not connected to, whoever sets it, unless the instance says so; then
    /// nothing of what it says is told.
    async fn mail_servers_are_guarded(database) {
        let [closed, open] = [Plan::new().without_private_networks(), Plan::new()];
        let inside = Behaviour { recipient: "550 5.1.1 ask db7.internal", ..Behaviour::default() };
        let server = Server::start(inside).await;
        let sender = |host: &str| json!({ "provider": "smtp", "host": host, "port": server.port, "encryption": "none", "from": "a@example.com" });
        let test = async |world: &World, host: &str| {
            let owner = key(world, AdminRole::Owner, Some(SHOP)).await;
            call(world, Some(&owner), "PATCH", &at("/senders/email"), Some(sender(host))).await.is(200);
            let to = json!({ "to": "bob@example.com" });
            call(world, Some(&owner), "POST", &at("/senders/email/test"), Some(to)).await.is(200)
        };
        let world = closed.build(database).await;
        for host in ["127.0.0.1", "localhost", "::1"] {
            let told = test(&world, host).await;
            assert_eq!((&told["sent"], &told["fault"], told.get("code")), (&json!(false), &json!("settings"), None), "{told}");
            assert!(told["reason"].as_str().unwrap().contains("outgoing_private"), "{told}");
        }
        assert_eq!(server.connections(), 0);
        // On the other engine it would be the same.
        let world = open.build(TestDatabase::sqlite()).await;
        let told = test(&world, "127.0.0.1").await;
        assert_eq!((&told["sent"], &told["fault"], told.get("code")), (&json!(false), &json!("recipient"), None), "{told}");
        assert_eq!(told["reason"], "the mail server refused the message");
        assert_eq!(server.connections(), 1);
    }

    /// An owner of all pools sets the mail sender of the pool `system`, by which invitations are delivered.
    async fn an_invitation_is_delivered_by_the_instances_mail_server(database) {
        let world = Plan::new().without_outbox().build(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let of_shop = key(&world, AdminRole::Owner, Some(SHOP)).await;
        let manager = key(&world, AdminRole::Manager, None).await;
        let wish = json!({ "name": "x", "role": "owner", "permissions": ["configuration.read", "configuration.write"] });
        let listed = made_key(&world, &owner, wish).await;
        let invite = async || {
            let new = json!({ "email": "mei@example.com", "role": "auditor", "pool": SHOP, "language": "en" });
            call(&world, Some(&owner), "POST", "/admin/v1/invitations", Some(new)).await
        };
        let refused = invite().await;
        assert_eq!(refused.body["code"], 2420, "{}", refused.body);
        let server = Server::start(Behaviour { mechanisms: "PLAIN", ..Behaviour::default() }).await;
        let password = "the-password-of-the-mailer";
        world.secret(password);
        let sender = json!({
            "provider": "smtp", "host": "127.0.0.1", "port": server.port, "encryption": "none", "username": "mailer",
            "password": password, "from": "Hufu <no-reply@example.com>",
        });
        let path = "/admin/v1/pools/system/senders/email";
        let test = format!("{path}/test");
        for (by, status) in [(&of_shop, 404), (&manager, 403), (&listed, 403)] {
            for (method, path, body) in [
                ("GET", "/admin/v1/pools/system/senders", None),
                ("GET", path, None),
                ("PATCH", path, Some(sender.clone())),
                ("DELETE", path, None),
                ("POST", &test, Some(json!({ "to": "a@example.com" }))),
            ] {
                call(&world, Some(by), method, path, body).await.is(status);
            }
        }
        let made = call(&world, Some(&owner), "PATCH", path, Some(sender)).await.is(200);
        assert_eq!((&made["host"], &made["secrets"]["password"]), (&json!("127.0.0.1"), &json!(true)));
        let sent = call(&world, Some(&owner), "POST", &test, Some(json!({ "to": "root@example.com" }))).await.is(200);
        assert_eq!(sent, json!({ "sent": true }));
        // Nothing else of that pool is configured here.
        for rest in ["", "/templates", "/applications", "/connections", "/scopes"] {
            call(&world, Some(&owner), "GET", &format!("/admin/v1/pools/system{rest}"), None).await.is(404);
        }

        invite().await.is(201);
        world.node.app.run_due_jobs().await;
        let seen = server.seen();
        assert_eq!(seen.credentials, Some(("mailer".to_owned(), password.to_owned())));
        assert!(seen.commands.iter().any(|command| command == "RCPT TO:<mei@example.com>"), "{:?}", seen.commands);
        let [_, mail] = seen.messages.as_slice() else { panic!("{} mails", seen.messages.len()) };
        let mail = mail.replace("=\r\n", "").replace("=3D", "=");
        let (_, rest) = mail.split_once("/administration/invitation?token=").unwrap();
        let token: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect();
        world.secret(&token);
        world.secret(PASSWORD);
        let accepting = json!({ "token": token, "username": "mei", "password": PASSWORD });
        let mei = call(&world, None, "POST", "/admin/v1/invitations/accept", Some(accepting)).await.is(201);
        assert_eq!(mei["roles"], json!([{ "role": "auditor", "pool": SHOP }]));
        call(&world, Some(&owner), "DELETE", path, None).await.is(204);
        assert_eq!(invite().await.body["code"], 2420);
    }

    /// Texts of the pool's own are written, previewed and taken back.
    async fn templates_have_previews(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let path = at("/templates");
        let patch = async |body: Value| call(&world, Some(&owner), "PATCH", &path, Some(body)).await;
        let preview = async |body: Value| call(&world, Some(&owner), "POST", &at("/templates/preview"), Some(body)).await;
        let nothing = call(&world, Some(&owner), "GET", &path, None).await.is(200);
        assert_eq!(nothing, json!({ "templates": {}, "revision": 0 }));
        for (patch_of, expected) in [
            (json!({ "templates": { "wedding": {} } }), &["templates.wedding"][..]),
            (json!({ "templates": { "login": { "fr": { "sms": "x {code}" } } } }), &["templates.login.fr"]),
            (json!({ "templates": { "login": { "en": { "sms": "no code", "shoe": 1 } } } }), &["templates.login.en.shoe", "templates.login.en.sms"]),
            (json!({ "templates": { "resetPassword": { "zh-CN": { "text": "{code} {nobody}" } } } }), &["templates.resetPassword.zh-CN.text"]),
            (json!({ "templates": { "login": { "en": { "sms": "" } } } }), &["templates.login.en.sms"]),
            (json!({ "other": 1 }), &["other"]),
        ] {
            assert_eq!(fields(patch(patch_of.clone()).await), expected, "{patch_of}");
        }
        let own = json!({ "templates": {
            "resetPassword": { "zh-CN": { "sms": "{app} 的验证码 {code}" } },
            "login": { "en": { "subject": "Code for {app}", "text": "<b>{code}</b>" } },
        } });
        let written = patch(own.clone()).await.is(200);
        assert_eq!(written["templates"], own["templates"]);
        let stale = patch(json!({ "templates": {}, "revision": 0 })).await.is(409);
        assert_eq!(stale["present"], written);
        let shown = preview(json!({ "purpose": "resetPassword", "language": "zh-CN" })).await.is(200);
        assert_eq!(shown["sms"], "Shop 的验证码 123456");
        let shown = preview(json!({ "purpose": "login", "language": "en" })).await.is(200);
        assert_eq!((&shown["subject"], &shown["text"]), (&json!("Code for Shop"), &json!("<b>123456</b>")));
        assert!(shown["html"].as_str().unwrap().contains("&lt;b&gt;123456"), "{shown}");
        let shown = preview(json!({ "purpose": "login", "language": "en", "sms": "Not saved: {code}" })).await.is(200);
        assert_eq!(shown["sms"], "Not saved: 123456");
        assert_eq!(fields(preview(json!({ "purpose": "login", "language": "en", "sms": "no code" })).await), ["sms"]);
        preview(json!({ "purpose": "newWayIn", "language": "ja" })).await.is(200);
        for wrong in [json!({ "purpose": "wedding", "language": "en" }), json!({ "purpose": "login", "language": "fr" })] {
            preview(wrong).await.is(422);
        }
        let back = patch(json!({ "templates": { "resetPassword": null, "login": { "en": { "text": null } } } })).await.is(200);
        assert_eq!(back["templates"], json!({ "login": { "en": { "subject": "Code for {app}" } } }));
        let nothing = patch(json!({ "templates": null })).await.is(200);
        assert_eq!(nothing["templates"], json!({}));
    }
}
