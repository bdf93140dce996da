//! Importing users from files and exporting them.

mod world;

use hufu_app::credentials::password::{Hasher, StoredPassword};
use hufu_app::transfer::{Counts, ExportOptions, Format, ImportError, ImportOptions, OnExisting};
use hufu_testkit::on_both_engines;
use hufu_types::{IdentityKey, IdentityKind, PhoneProof, UserStatus};
use serde_json::{Value, json};

use self::world::*;

fn counts(rows: i64, created: i64, skipped: i64, refused: i64) -> Counts {
    Counts { rows, created, skipped, refused }
}

on_both_engines! {
    async fn every_field_arrives(database) {
        let world = World::new(database).await;
        let file = json!([
            {
                "id": "Legacy_1", "username": "alice", "email": "Alice@Example.com", "phone": "13800000001",
                "phoneCountryCode": "+86", "externalId": 77, "nickname": "阿丽", "givenName": "Li", "gender": "女",
                "photo": "https://example.com/a.png", "customData": { "level": 3 }, "status": "Suspended",
                "createdAt": "2020-01-02T03:04:05Z", "loginsCount": 9, "mustReset": true,
                "passwordHash": "pbkdf2_sha256$1000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                "identities": [{ "connection": "mini", "type": "openid", "value": "o-alice" }]
            },
            // A user in the format of the published clients.
            {
                "userId": "Legacy_2", "email": "bob@example.com", "emailVerified": false, "phone": "+8613800000002",
                "phoneVerified": false, "workStatus": "Active", "departmentIds": [], "resetPasswordOnNextLogin": false,
                "identities": [
                    { "extIdpId": "mini", "provider": "wechat", "type": "unionid", "userIdInIdp": "u-bob", "originConnIds": [],
                      "userInfoInIdp": { "nickname": "Bob", "access_token": "theirs", "city": "" } }
                ]
            }
        ]);
        let done = world.import(&file.to_string(), Format::Json).await;
        assert_eq!((done.counts, done.refused.as_slice()), (counts(2, 2, 0, 0), [].as_slice()));

        let (alice, hash) = world.user("Legacy_1").await.unwrap();
        assert_eq!(alice.username.unwrap().as_str(), "alice");
        assert_eq!((alice.email.unwrap().as_str(), alice.email_verified), ("alice@example.com", true));
        let (phone, proof) = alice.phone.unwrap();
        assert_eq!((phone.as_str(), proof), ("+8613800000001", PhoneProof::Administrator));
        assert_eq!(alice.external_id.as_deref(), Some("77"));
        assert_eq!((alice.profile.field("nickname"), alice.profile.field("given_name")), (Some("阿丽"), Some("Li")));
        assert_eq!(alice.custom_data["level"], 3);
        assert_eq!((alice.status, alice.must_reset, alice.logins_count), (UserStatus::Suspended, true, 9));
        assert_eq!(alice.created_at.to_iso(), "2020-01-02T03:04:05.000Z");
        assert_eq!(alice.register_source, "import");
        // Normalized to the format that the server reads.
        assert!(hash.unwrap().starts_with("$pbkdf2-sha256$i=1000,l=32$"));

        let (bob, hash) = world.user("Legacy_2").await.unwrap();
        assert_eq!((bob.email_verified, bob.phone.unwrap().1, hash), (false, PhoneProof::Unverified, None));
        let owner = |realm: &str, kind, value: &str| {
            world.owner(IdentityKey { realm: realm.to_owned(), kind, value: value.to_owned() })
        };
        assert_eq!(owner("wechat:wx0123456789abcdef", IdentityKind::Openid, "o-alice").await.as_deref(), Some("Legacy_1"));
        assert_eq!(owner("wechat:open:shop", IdentityKind::Unionid, "u-bob").await.as_deref(), Some("Legacy_2"));
        assert_eq!(world.events("users.imported").await.len(), 1);
    }

    async fn a_csv_says_the_same(database) {
        let world = World::new(database).await;
        let file = "\u{feff}id,username,phone,phoneCountryCode,nickname,custom.level,openid,unionid,emailVerified\r\n\
            c-1,carol,'+8613800000003,,\"C, \"\"the\"\" third\",gold,o-carol,u-carol,\r\n\
            c-2,dave,13800000004,86,,,,,\r\n";
        let done = world.import(file, Format::Csv).await;
        assert_eq!(done.refused, []);
        let (carol, _) = world.user("c-1").await.unwrap();
        assert_eq!(carol.vouched_phone().unwrap().as_str(), "+8613800000003");
        assert_eq!((carol.profile.field("nickname"), &carol.custom_data["level"]), (Some("C, \"the\" third"), &json!("gold")));
        let union = IdentityKey { realm: "wechat:open:shop".to_owned(), kind: IdentityKind::Unionid, value: "u-carol".to_owned() };
        assert_eq!(world.owner(union).await.as_deref(), Some("c-1"));
        assert_eq!(world.user("c-2").await.unwrap().0.vouched_phone().unwrap().as_str(), "+8613800000004");
    }

    async fn bad_rows_are_reported_and_cost_no_other(database) {
        let world = World::new(database).await;
        world.import(r#"[{"id":"there","username":"there","email":"there@example.com"}]"#, Format::Json).await;
        let other_pool = world.in_other_pool();
        other_pool.import(r#"[{"id":"elsewhere","username":"x"}]"#, Format::Json).await;

        let long = "x".repeat(70_000);
        let said = json!({ "nickname": "n".repeat(4100) });
        let oversized = json!({ "username": "a", "identities": [
            { "connection": "mini", "type": "openid", "value": "o", "userInfoInIdp": said }
        ] });
        let oversized = oversized.to_string();
        let rows = [
            (r#"{"username":"good-1"}"#, None),
            (r#"{"username":" bad "}"#, Some("username: ")),
            (r#"{"email":"nonsense"}"#, Some("email: ")),
            (r#"{"phone":"13800000000"}"#, Some("phone: it names no country")),
            (r#"{"id":"bad id"}"#, Some("id: ")),
            (r#"{"id":"there","username":"new"}"#, Some("id: taken")),
            (r#"{"id":"elsewhere","username":"new"}"#, Some("id: taken in another user pool")),
            (r#"{"username":"there"}"#, Some("username: taken")),
            (r#"{"username":"good-2","email":"two@example.com"}"#, None),
            // An earlier row of the file has the address.
            (r#"{"username":"good-3","email":"TWO@example.com"}"#, Some("email: taken")),
            (r#"{"username":"a","passwordHash":"$9$secret"}"#, Some("passwordHash: the hash is of no known scheme")),
            (r#"{"username":"a","passwordHash":"$2b$20$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}"#, Some("passwordHash: the bcrypt hash costs too much")),
            (r#"{"username":"a","password":"x","passwordHash":"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}"#, Some("password: ")),
            (r#"{"username":"#, Some("the row is no JSON")),
            ("[1]", Some("the row is no JSON object")),
            (long.as_str(), Some("the row is longer than 65536 bytes")),
            (r#"{"usernam":"typo"}"#, Some("`usernam`: no field of this name is known")),
            (r#"{"username":"a","identities":[{"connection":"none","type":"openid","value":"o"}]}"#, Some("identities: the pool has no such connection")),
            (r#"{"username":"a","identities":[{"connection":"mini","type":"email","value":"o"}]}"#, Some("identities: a type")),
            (r#"{"username":"a","identities":[{"connection":"mini","type":"openid","value":"o","userInfoInIdp":"x"}]}"#, Some("identities: a userInfoInIdp is no JSON object")),
            (oversized.as_str(), Some("identities: a userInfoInIdp is longer than 4096 bytes")),
            (r#"{"username":"a","customData":{"bad key":1}}"#, Some("customData: a key")),
            (r#"{"username":"a","photo":"javascript:alert(1)"}"#, Some("photo: ")),
            (r#"{"username":"a\u0000"}"#, Some("username: it holds a NUL")),
            (r#"{"username":"a","createdAt":"yesterday"}"#, Some("createdAt: ")),
            (r#"{"username":"a","status":"Gone"}"#, Some("status: ")),
            (r#"{"nickname":"nobody"}"#, Some("the row has no username")),
            (r#"{"username":"i-1","identities":[{"type":"openid","value":"o-1"}]}"#, None),
            // Nothing of the refused row is kept.
            (r#"{"username":"i-2","identities":[{"type":"unionid","value":"u-2"},{"type":"openid","value":"o-1"}]}"#, Some("identities: taken")),
            (r#"{"username":"i-2","identities":[{"type":"unionid","value":"u-2"}]}"#, None),
            (r#"{"username":"good-4","mergedInto":"nobody"}"#, Some("mergedInto: ")),
        ];
        let file: String = rows.iter().flat_map(|(row, _)| [*row, "\n"]).collect();
        let expected: Vec<_> = rows.iter().enumerate().filter_map(|(at, (_, why))| Some((i64::try_from(at).unwrap() + 1, (*why)?))).collect();
        let check = |refused: &[(i64, String)]| {
            let found: Vec<_> = refused.iter().map(|(number, _)| *number).collect();
            assert_eq!(found, expected.iter().map(|(number, _)| *number).collect::<Vec<_>>(), "{refused:?}");
            for ((_, reason), (_, start)) in refused.iter().zip(&expected) {
                assert!(reason.starts_with(start), "{reason} | {start}");
                // Reasons contain no values from the file.
                assert!(!reason.contains("secret") && !reason.to_lowercase().contains("two@"), "{reason}");
            }
        };
        let before = world.export(JSON_LINES).await;
        let rehearsed = world.import_with(&file, &ImportOptions { dry_run: true, ..options(Format::JsonLines) }).await.unwrap();
        check(&rehearsed.refused);
        assert_eq!(world.export(JSON_LINES).await, before, "a dry run writes nothing");
        let done = world.import(&file, Format::JsonLines).await;
        assert_eq!(done.counts, rehearsed.counts);
        assert_eq!(done.counts, counts(31, 4, 0, 27));
        check(&done.refused);
        // The report comes from the database.
        assert_eq!(done.report.lines().count(), 28);
        assert!(done.report.starts_with("row,reason\r\n2,\"username: "), "{}", done.report);
    }

    async fn who_is_there_already_can_be_skipped(database) {
        let world = World::new(database).await;
        let file = r#"[{"id":"a","username":"a"},{"username":"b","phone":"+8613800000001"},{"email":"c@example.com"}]"#;
        assert_eq!(world.import(file, Format::Json).await.counts, counts(3, 3, 0, 0));
        let again = world.import(file, Format::Json).await;
        assert_eq!(again.counts, counts(3, 0, 0, 3));
        let skipping = ImportOptions { on_existing: OnExisting::Skip, ..options(Format::Json) };
        assert_eq!(world.import_with(file, &skipping).await.unwrap().counts, counts(3, 0, 3, 0));
        // Names that lead to two users, or a new name together with a taken one, are refused all the same.
        let mixed = r#"[{"username":"a","phone":"+8613800000001"},{"username":"new","email":"c@example.com"},{"username":"b"}]"#;
        let done = world.import_with(mixed, &skipping).await.unwrap();
        assert_eq!(done.counts, counts(3, 0, 1, 2));
        let rehearsal = ImportOptions { dry_run: true, ..skipping };
        assert_eq!(world.import_with(mixed, &rehearsal).await.unwrap().counts, done.counts);
    }

    async fn what_goes_out_comes_in_again_as_it_was(database) {
        let world = World::new(database).await.with_second_connection().await;
        let file = json!([
            {
                "id": "z-1", "username": "=cmd", "email": "a@example.com", "phone": "+8613800000001", "phoneProof": "wechat",
                "nickname": "-\"quoted\", 'and'\nmore", "name": "'=x", "company": "＝1+1", "city": "＠x", "givenName": "'＋", "familyName": "－", "gender": "F", "customData": { "a": [1, null, "x"], "b": "+1" },
                "passwordHash": "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "loginsCount": 4,
                "lastLogin": 1_700_000_000_123_i64, "createdAt": "2020-01-02T03:04:05.006Z", "agreements": { "terms": 2 },
                "identities": [
                    { "connection": "mini", "type": "openid", "value": "o-1", "createdAt": "2021-01-01T00:00:00Z" },
                    { "connection": "other", "type": "openid", "value": "o-2" },
                    { "connection": "mini", "type": "unionid", "value": "u-1", "realm": "wechat:open:former" }
                ]
            },
            // Sorts before the account that it was merged into.
            { "id": "z-2", "username": "survivor", "status": "Archived" },
            { "id": "a-1", "username": "merged", "mergedInto": "z-2", "identities": [{ "connection": "mini", "type": "openid", "value": "o-3" }] },
            { "id": "d-1", "externalId": "77", "status": "Deactivated", "deleteAfter": "2030-01-01T00:00:00Z", "mustReset": true }
        ]);
        assert_eq!(world.import(&file.to_string(), Format::Json).await.refused, []);
        for with_hashes in [false, true] {
            for format in [Format::Json, Format::JsonLines, Format::Csv] {
                let out = ExportOptions { format, with_hashes };
                let text = world.export(out).await;
                let fresh = World::sqlite().await.with_second_connection().await;
                let done = fresh.import(&text, format).await;
                assert_eq!((done.refused.as_slice(), done.counts.created), ([].as_slice(), 4), "{text}");
                assert_eq!(fresh.export(out).await, text);
                assert_eq!(text.contains("$2b$05$"), with_hashes);
                // It equals the first file.
                if with_hashes {
                    assert_eq!(fresh.export(ALL).await, world.export(ALL).await);
                }
            }
        }
        assert_eq!(world.events("users.exported").await.len(), 9);
    }

    async fn each_scheme_of_hashes_verifies_the_password(database) {
        let world = World::new(database).await;
        let rows: String = HASHES.iter().enumerate().map(|(at, (hash, _))| {
            json!({ "id": format!("u-{at}"), "username": format!("u-{at}"), "passwordHash": hash }).to_string() + "\n"
        }).collect();
        assert_eq!(world.import(&(rows + r#"{"id":"plain","username":"plain","password":"in clear text"}"#), Format::JsonLines).await.refused, []);
        let hasher = Hasher::default();
        let passwords = HASHES.iter().map(|(_, password)| *password).enumerate().map(|(at, password)| (format!("u-{at}"), password));
        for (id, password) in passwords.chain([("plain".to_owned(), "in clear text")]) {
            let hash = world.user(&id).await.unwrap().1.unwrap();
            for (password, matches) in [(password.to_owned(), true), (format!("{password}!"), false)] {
                let stored = StoredPassword::parse(&hash).unwrap();
                let turn = hasher.turn(None).await.unwrap();
                assert_eq!(hasher.verify(&turn, password.into(), Some(stored), Vec::new()).await.unwrap().matches, matches, "{hash}");
            }
        }
    }

    /// What happens to the values of a batch between looking them up and writing them decides nothing: each user is
    /// there once, whoever made it.
    async fn batches_and_registrations_race_for_names(database) {
        let world = World::new(database).await;
        let row = |n: usize| {
            format!("{{\"username\":\"user-{n}\",\"identities\":[{{\"type\":\"openid\",\"value\":\"o-{n}\"}}]}}\n")
        };
        let file: String = (0..1200).map(row).collect();
        let register = async {
            let mut made = 0_i64;
            for n in (0..1200).step_by(97) {
                made += i64::from(world.register(&format!("user-{n}")).await);
            }
            made
        };
        let (done, made) = tokio::join!(world.import(&file, Format::JsonLines), register);
        assert_eq!(done.counts, counts(1200, 1200 - made, 0, made), "{:?}", done.refused);
        assert!(done.refused.iter().all(|(_, reason)| reason.starts_with("username: taken")), "{:?}", done.refused);
        let text = world.export(JSON_LINES).await;
        assert_eq!(text.lines().count(), 1200);
        // Nothing of a refused row is kept, its identities neither.
        assert_eq!(text.matches("\"type\":\"openid\"").count(), usize::try_from(1200 - made).unwrap());
    }

    /// Batches see what their own earlier rows take, and those of earlier batches, just as if rows were written one by one.
    async fn rows_of_a_batch_see_one_another(database) {
        let world = World::new(database).await;
        let filler: String = (0..700).map(|n| format!("{{\"username\":\"filler-{n}\"}}")).collect::<Vec<_>>().join("\n") + "\n";
        let rows = [
            (r#"{"id":"a","username":"a","email":"a@example.com"}"#, "created"),
            (r#"{"id":"a","username":"a2"}"#, "id"),
            (r#"{"username":"b","email":"A@example.com"}"#, "email"),
            // The refused row has taken nothing.
            (r#"{"username":"b","externalId":"1","identities":[{"type":"openid","value":"o-1"}]}"#, "created"),
            (r#"{"username":"c","externalId":"1"}"#, "externalId"),
            (r#"{"username":"c","identities":[{"type":"openid","value":"o-1"}]}"#, "identities"),
            (r#"{"id":"m","username":"m","mergedInto":"a"}"#, "created"),
            (r#"{"id":"n","username":"n","mergedInto":"m"}"#, "mergedInto"),
            (r#"{"id":"o","username":"o","mergedInto":"later"}"#, "mergedInto"),
            (r#"{"id":"later","username":"later"}"#, "created"),
            // The same user again, which may be skipped.
            (r#"{"id":"a","username":"a","email":"a@example.com"}"#, "again"),
        ];
        let file: String = rows.iter().flat_map(|(row, _)| [*row, "\n"]).collect();
        for (pool, on_existing) in [("shop", OnExisting::Refuse), ("other", OnExisting::Skip)] {
            let world = world.of_pool(pool);
            world.apply_connection().await;
            let file = match on_existing {
                OnExisting::Refuse => format!("{file}{filler}{file}"),
                OnExisting::Skip => format!("{}{filler}", file.replace("\"id\":\"", "\"id\":\"x-").replace("Into\":\"", "Into\":\"x-")),
            };
            let wish = ImportOptions { on_existing, ..options(Format::JsonLines) };
            let rehearsed = world.import_with(&file, &ImportOptions { dry_run: true, ..wish.clone() }).await.unwrap();
            let done = world.import_with(&file, &wish).await.unwrap();
            assert_eq!((done.counts, &done.refused), (rehearsed.counts, &rehearsed.refused));
            // When the file comes again in the same run, the survivor that was missing is there.
            let expected = if on_existing == OnExisting::Skip { (704, 2) } else { (705, 0) };
            assert_eq!((done.counts.created, done.counts.skipped), expected);
            for (at, (_, outcome)) in rows.iter().enumerate() {
                let number = i64::try_from(at).unwrap() + 1;
                let reason = done.refused.iter().find(|(row, _)| *row == number).map(|(_, reason)| reason.as_str());
                match (*outcome, on_existing) {
                    ("created", _) | ("again" | "id", OnExisting::Skip) => assert_eq!(reason, None, "row {number}"),
                    ("again", OnExisting::Refuse) => assert!(reason.unwrap().starts_with("id: taken")),
                    (field, _) => assert!(reason.unwrap().starts_with(field), "row {number}: {reason:?}"),
                }
            }
        }
    }

    /// An import that was cancelled stops before its next batch. What was in stays, and a new import begins with the
    /// first row.
    async fn an_import_that_was_cancelled_stops_between_batches(database) {
        let world = World::new(database).await;
        let file: String = (0..1200).map(|n| format!("{{\"username\":\"user-{n}\"}}")).collect::<Vec<_>>().join("\n") + "\n";
        let stopped = world.import_until(&file, 500).await;
        let error = world.import_cancelled_meanwhile(&file).await;
        assert!(matches!(error, ImportError::Cancelled), "{error:?}");
        assert_eq!(world.export(JSON_LINES).await.lines().count(), usize::try_from(stopped).unwrap());
        let skipping = ImportOptions { on_existing: OnExisting::Skip, ..options(Format::JsonLines) };
        let done = world.import_with(&file, &skipping).await.unwrap();
        assert_eq!((done.counts, done.resumed_at), (counts(1200, 1200 - stopped, stopped, 0), 0));
    }

    /// A URL in a profile is a web address, also in a file.
    async fn urls_in_files_are_web_addresses(database) {
        let world = World::new(database).await;
        let rows = [
            r#"{"username":"a","website":"javascript:alert(1)"}"#,
            r#"{"username":"b","profile":"data:text/html,x"}"#,
            r#"{"username":"c","photo":"ftp://example.com/c.png"}"#,
            r#"{"username":"d","website":"https://example.com","profile":"http://example.com/d"}"#,
        ];
        let done = world.import(&rows.join("\n"), Format::JsonLines).await;
        let starts: Vec<_> = done.refused.iter().map(|(row, reason)| (*row, reason.split(':').next().unwrap())).collect();
        assert_eq!(starts, [(1, "website"), (2, "profile"), (3, "photo")]);
    }

    async fn an_import_that_was_stopped_goes_on_behind_the_last_batch(database) {
        let world = World::new(database).await;
        // Every tenth row is a duplicate of the one before.
        let row = |n: u32| format!("{{\"username\":\"user-{}\",\"nickname\":\"{n}\"}}\n", if n.is_multiple_of(10) { n - 1 } else { n });
        let file: String = (1..=3000).map(row).collect();
        let stopped = world.import_until(&file, 1000).await;
        assert!((1000..3000).contains(&stopped), "{stopped}");

        // It does not resume with different content.
        let changed = file.replace("user-2999", "user-2999-changed");
        let refusal = world.import_with(&changed, &options(Format::JsonLines)).await;
        assert!(matches!(refusal, Err(ImportError::Changed { rows }) if rows == stopped), "{refusal:?}");

        let done = world.import(&file, Format::JsonLines).await;
        assert_eq!((done.counts, done.resumed_at), (counts(3000, 2700, 0, 300), stopped));
        assert_eq!(done.report.lines().count(), 301, "of both runs");
        assert_eq!(world.export(JSON_LINES).await.lines().count(), 2700);

        // The import is finished now, so the same file starts another import.
        assert_eq!(world.import(&file, Format::JsonLines).await.counts, counts(3000, 0, 0, 3000));
        let stopped = world.import_until(&changed, 500).await;
        assert!(stopped < 3000);
        let over = ImportOptions { start_over: true, on_existing: OnExisting::Skip, ..options(Format::JsonLines) };
        let done = world.import_with(&file, &over).await.unwrap();
        assert_eq!((done.counts, done.resumed_at), (counts(3000, 0, 3000, 0), 0));
    }

    async fn two_imports_at_once_make_nobody_twice(database) {
        let world = World::new(database).await;
        let one = (0..2000).map(|n| format!("{{\"username\":\"u-{n}\",\"id\":\"one-{n}\"}}\n")).collect::<Vec<_>>().concat();
        let other = (0..2000).rev().map(|n| format!("{{\"username\":\"u-{n}\",\"id\":\"other-{n}\"}}\n")).collect::<Vec<_>>().concat();
        let named = |name: &str| ImportOptions { file_name: name.to_owned(), ..options(Format::JsonLines) };
        let (first, second) = (named("one"), named("other"));
        let (first, second) = futures::join!(world.import_with(&one, &first), world.import_with(&other, &second));
        let (first, second) = (first.unwrap().counts, second.unwrap().counts);
        assert_eq!((first.rows, second.rows), (2000, 2000));
        assert_eq!((first.created + second.created, first.refused + second.refused), (2000, 2000));
        assert_eq!(world.export(JSON_LINES).await.lines().count(), 2000);
    }
}

#[tokio::test]
async fn files_that_are_wrong_as_a_whole_begin_nothing() {
    let world = World::sqlite().await;
    for (content, format, reason) in [
        (&b"username\n\xc0\xcf\xbb\xa2"[..], Format::Csv, "not UTF-8"),
        (b"usernam,e-mail\nx,y", Format::Csv, "no fields are known for the columns `usernam`, `e-mail`"),
        (b"username,username\nx,y", Format::Csv, "stands twice"),
        (b"", Format::Csv, "empty"),
        (b"{\"username\":\"x\"}", Format::Json, "not a JSON list"),
    ] {
        let error = world.import_bytes(content, &options(format)).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let ignoring = ImportOptions { ignore_unknown: true, ..options(Format::Csv) };
    assert_eq!(
        world.import_with("username,e-mail\nx,y\n", &ignoring).await.unwrap().counts,
        counts(1, 1, 0, 0)
    );
    // With a country code, phone numbers may be in the national format.
    let chinese = ImportOptions { country_code: Some("86".to_owned()), ..options(Format::Csv) };
    assert_eq!(world.import_with("id,phone\np,138 0000 0001\n", &chinese).await.unwrap().refused, []);
    assert_eq!(world.user("p").await.unwrap().0.phone.unwrap().0.as_str(), "+8613800000001");
}

#[tokio::test]
async fn administrators_and_strangers_pools_are_not_imported() {
    let world = World::sqlite().await;
    for (pool, is_system) in [("system", true), ("nobody", false)] {
        let error = world.of_pool(pool).import_bytes(b"[]", &options(Format::Json)).await.unwrap_err();
        assert_eq!(matches!(error, ImportError::SystemPool), is_system);
        assert_eq!(matches!(error, ImportError::PoolUnknown), !is_system);
    }
}

#[tokio::test]
async fn custom_fields_are_what_the_pool_declares() {
    let world = World::sqlite()
        .await
        .with_settings(json!({
            "custom_fields": [
                { "key": "age", "type": "number" }, { "key": "vip", "type": "boolean" },
                { "key": "size", "type": "enum", "options": ["S", "M"] }
            ],
            "custom_fields_only": true
        }))
        .await;
    let done = world
        .import("id,custom.age,custom.vip,custom.size\na,7,是,S\nb,seven,,\nc,,,XL\n", Format::Csv)
        .await;
    assert_eq!(done.refused.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(
        Value::from(world.user("a").await.unwrap().0.custom_data),
        json!({ "age": 7, "vip": true, "size": "S" })
    );
    let done = world.import("id,custom.other\nd,x\n", Format::Csv).await;
    assert!(done.refused[0].1.starts_with("`other`: "), "{:?}", done.refused);
}
