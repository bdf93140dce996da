//! Uploads: only small raster images, served while a user's photo refers to them, and rate limited.

use std::convert::Infallible;
use std::io::Cursor;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use axum::response::Response;
use futures::channel::mpsc;
use futures::{SinkExt as _, stream};
use hufu_store::{StoreError, Tx, Write};
use hufu_testkit::on_both_engines;
use image::{DynamicImage, ImageFormat};
use serde_json::json;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::client::{Answer, Client, UPDATE_PROFILE, UPLOAD, User};
use crate::world::{MINI, PUBLIC_URL, Plan, World};

fn picture(side: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = DynamicImage::new_rgb8(side, side);
    let picture =
        if format == ImageFormat::WebP { DynamicImage::ImageRgba8(picture.into_rgba8()) } else { picture };
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png() -> Vec<u8> {
    picture(4, ImageFormat::Png)
}

/// A PNG header that declares these dimensions, without image data.
fn png_of_size(width: u32, height: u32) -> Vec<u8> {
    png_of(width, height, [8, 2])
}

/// The PNG color type with an alpha channel.
const WITH_ALPHA: u8 = 6;

/// A PNG without image data, with this bit depth and color type.
fn png_of(width: u32, height: u32, kind: [u8; 2]) -> Vec<u8> {
    fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
        let content = [kind, data].concat();
        let length = u32::try_from(data.len()).unwrap();
        [&length.to_be_bytes()[..], &content, &crc32(&content).to_be_bytes()].concat()
    }
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &kind, &[0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &[]), chunk(b"IEND", &[])]
        .concat()
}

/// The checksum of PNG chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

/// A multipart body with empty parts before the file.
fn behind_parts(count: usize) -> Vec<u8> {
    let empty = b"--frontier\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n".repeat(count);
    let head = b"--frontier\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
    [&empty[..], head, &png(), b"\r\n--frontier--\r\n"].concat()
}

/// The path of an uploaded image.
fn path(answer: &Answer) -> String {
    let data = answer.data();
    let url = data["url"].as_str().unwrap();
    let path = url.strip_prefix(PUBLIC_URL).unwrap();
    let key = data["key"].as_str().unwrap();
    assert_eq!(path, format!("/uploads/{key}"));
    assert!(key.split('.').next().is_some_and(|name| name.len() == 32), "128 bits: {key}");
    path.to_owned()
}

/// A plan in which a body may hang as long as the test takes.
fn patient() -> Plan {
    let hour = Duration::from_secs(3600);
    Plan::new().limits(|limits| (limits.body_grace, limits.body_time) = (hour, hour))
}

/// An upload from this address.
fn upload_from(address: &str, body: Body) -> Request<Body> {
    let content_type = "multipart/form-data; boundary=frontier";
    let mut request = Request::post(UPLOAD).header("content-type", content_type).body(body).unwrap();
    let peer = SocketAddr::new(address.parse().unwrap(), 40_000);
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

type Feed = mpsc::Sender<Result<Vec<u8>, Infallible>>;

/// Begins an upload from this address. It goes on when it is fed, and ends with the feed.
async fn begin(world: &World, address: &str, start: &[u8]) -> (Feed, JoinHandle<Response>) {
    let (mut feed, chunks) = mpsc::channel(0);
    let router = world.node.router.clone();
    let request = upload_from(address, Body::from_stream(chunks));
    let slow = tokio::spawn(async move { router.oneshot(request).await.unwrap() });
    // A channel without capacity passes data on only when the receiver asks for it, so that the second piece
    // is taken when the first has been looked at.
    for piece in [start, b""] {
        feed.send(Ok(piece.to_vec())).await.unwrap();
    }
    feed.flush().await.unwrap();
    (feed, slow)
}

/// Makes every statement about pictures fail.
struct HideUploads;

impl Write for HideUploads {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.execute("ALTER TABLE uploads RENAME TO hidden", &[]).await.map(drop)
    }
}

async fn served(world: &World, path: &str) -> u16 {
    world.nobody().get(path).await.status.as_u16()
}

async fn choose(world: &World, user: &User, photo: &str) {
    world.nobody().bearer(&user.token).update_user(json!({ "photo": photo })).await.data();
}

fn anonymous(world: &World) -> Client<'_> {
    world.nobody().without("x-authing-lang").header("x-authing-lang", "en")
}

on_both_engines! {
    async fn a_picture_is_served_once_a_photo_names_it(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let first = path(&anonymous(&world).upload(&png()).await);
        assert_eq!(served(&world, &first).await, 404, "nobody's photo names it");
        choose(&world, &user, &format!("{PUBLIC_URL}{first}")).await;

        let answer = world.nobody().get(&first).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "image/jpeg");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["content-security-policy"], "default-src 'none'; sandbox");
        let kept = image::load_from_memory(&answer.bytes).unwrap();
        assert_eq!((kept.width(), kept.height()), (4, 4));

        // Another photo, set by the v3 API. No user refers to the first one any more, so it is removed after
        // an hour.
        let second = path(&anonymous(&world).upload(&png()).await);
        let client = world.nobody().bearer(&user.token);
        client.post(UPDATE_PROFILE, json!({ "photo": format!("{PUBLIC_URL}{second}") })).await.data();
        assert_eq!((served(&world, &first).await, served(&world, &second).await), (404, 200));
        world.advance(Duration::from_secs(3600));
        world.node.app.sweep().await.unwrap();
        assert_eq!(world.rows("uploads").await, 2);
        world.advance(Duration::from_millis(1));
        world.node.app.sweep().await.unwrap();
        assert_eq!(world.rows("uploads").await, 1);
        assert_eq!(served(&world, &second).await, 200, "what a photo names stays");

        choose(&world, &user, "https://elsewhere.example/a.png").await;
        assert_eq!(served(&world, &second).await, 404);
    }

    async fn orphans_go_after_an_hour(database) {
        let world = World::new(database).await;
        anonymous(&world).upload(&png()).await.data();
        world.advance(Duration::from_secs(3600));
        world.node.app.sweep().await.unwrap();
        assert_eq!(world.rows("uploads").await, 1);
        world.advance(Duration::from_millis(1));
        world.node.app.sweep().await.unwrap();
        assert_eq!(world.rows("uploads").await, 0);
    }

    async fn a_picture_belongs_to_the_first_who_chose_it(database) {
        let world = World::new(database).await;
        world.person("bob");
        world.person("eve");
        let bob = world.client().log_in(MINI, "bob").await;
        let eve = world.client().log_in(MINI, "eve").await;
        let picture = path(&anonymous(&world).upload(&png()).await);
        let url = format!("{PUBLIC_URL}{picture}");
        choose(&world, &bob, &url).await;
        choose(&world, &eve, &url).await;
        choose(&world, &eve, "https://elsewhere.example/a.png").await;
        assert_eq!(served(&world, &picture).await, 200, "eve took nothing away");
        choose(&world, &bob, &url).await;
        assert_eq!(served(&world, &picture).await, 200, "choosing it again changes nothing");
    }

    /// Lesson 20: whatever is served has been drawn anew.
    async fn every_kind_of_picture_becomes_png_or_jpeg(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        for (format, content_type) in [
            (ImageFormat::Png, "image/jpeg"),
            (ImageFormat::Jpeg, "image/jpeg"),
            (ImageFormat::Gif, "image/png"),
            (ImageFormat::WebP, "image/png"),
        ] {
            let mut bytes = picture(600, format);
            bytes.extend_from_slice(b"<script>alert(document.domain)</script>");
            let path = path(&anonymous(&world).upload(&bytes).await);
            choose(&world, &user, &format!("{PUBLIC_URL}{path}")).await;
            let answer = world.nobody().get(&path).await;
            assert_eq!(answer.headers["content-type"], content_type, "{format:?}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{format:?}");
            assert!(
                !answer.bytes.windows(7).any(|window| window == b"<script"),
                "{format:?}: only the picture is kept"
            );
            assert_eq!(image::load_from_memory(&answer.bytes).unwrap().width(), 512);
        }
    }

    /// Lesson 20.
    async fn what_is_no_picture_is_refused(database) {
        let world = World::new(database).await;
        let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".to_vec();
        let files: [(&str, Vec<u8>); 8] = [
            ("SVG", svg.clone()),
            ("SVG in XML", [b"<?xml version=\"1.0\"?>".to_vec(), svg].concat()),
            ("HTML", b"<!doctype html><script>alert(1)</script>".to_vec()),
            ("a GIF that is a script", b"GIF89a/*\x00\x00*/=1;alert(document.domain)//".to_vec()),
            (
                "a PNG that is a page",
                [b"\x89PNG\r\n\x1a\n".to_vec(), b"<html><script>alert(1)</script>".to_vec()].concat(),
            ),
            ("half a picture", picture(64, ImageFormat::Jpeg)[..300].to_vec()),
            ("nothing", Vec::new()),
            ("BMP", [b"BM".to_vec(), vec![0; 200]].concat()),
        ];
        for (name, bytes) in files {
            let answer = world.stores_nothing(anonymous(&world).upload(&bytes)).await;
            assert_eq!(answer.code(), 2410, "{name}: {answer}");
            answer.refused(2410);
        }
    }

    async fn what_is_too_large_is_refused(database) {
        let world = World::new(database).await;
        for size in [(10_000, 5_001), (65_535, 65_535), (u32::MAX >> 1, 1_000)] {
            let bomb = png_of_size(size.0, size.1);
            assert!(bomb.len() < 100);
            let answer = world.stores_nothing(anonymous(&world).upload(&bomb)).await;
            answer.refused(2411);
        }
        // Fifty megapixels are within the limit. The file is refused only because it contains no image data.
        anonymous(&world).upload(&png_of_size(10_000, 5_000)).await.refused(2410);
        for length in [10 * 1024 * 1024 + 1, 10 * 1024 * 1024 + 200_000] {
            let answer = world.stores_nothing(anonymous(&world).upload(&vec![0; length])).await;
            answer.refused(2411);
        }
    }

    async fn sixteen_bits_a_channel_are_taken_in_ordinary_sizes(database) {
        let world = World::new(database).await;
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgba16(600, 400).write_to(&mut bytes, ImageFormat::Png).unwrap();
        anonymous(&world).upload(&bytes.into_inner()).await.data();
        anonymous(&world).upload(&png_of(4_000, 3_000, [16, WITH_ALPHA])).await.refused(2410);
        anonymous(&world).upload(&png_of(4_000, 3_001, [8, WITH_ALPHA])).await.refused(2410);
        anonymous(&world).upload(&png_of(4_000, 3_001, [16, WITH_ALPHA])).await.refused(2411);
    }

    async fn few_parts_are_looked_at(database) {
        let world = World::new(database).await;
        let send = |count| {
            let client = anonymous(&world);
            async move {
                let content_type = "multipart/form-data; boundary=frontier";
                client.send(Method::POST, UPLOAD, content_type, behind_parts(count)).await
            }
        };
        send(15).await.data();
        send(16).await.refused(2231);
        send(150_000).await.refused(2231);
    }

    async fn hanging_uploads_lock_nobody_out(database) {
        let plan = patient().limits(|limits| limits.uploads_at_once = 1);
        let world = plan.build(database).await;
        let mut hanging = Vec::new();
        for _ in 0..8 {
            hanging.push(begin(&world, "198.51.100.1", &behind_parts(0)[..10]).await);
        }
        for address in ["198.51.100.1", "203.0.113.7"] {
            let client = world.nobody().from(address.parse::<IpAddr>().unwrap());
            client.upload(&png()).await.data();
            client.upload(b"").await.refused(2410);
            client.upload(&png()).await.data();
        }
        let (mut feed, slow) = hanging.pop().unwrap();
        feed.send(Ok(behind_parts(0)[10..].to_vec())).await.unwrap();
        drop(feed);
        let answer = to_bytes(slow.await.unwrap().into_body(), usize::MAX).await.unwrap();
        assert!(String::from_utf8_lossy(&answer).contains("/uploads/"), "it goes on");
    }

    async fn so_many_bodies_of_one_network_arrive_at_once(database) {
        let plan = patient().limits(|limits| limits.bodies_per_network = 2);
        let world = plan.build(database).await;
        let begin = async |address: &str| begin(&world, address, b"--frontier\r\n").await;
        let hanging = [begin("2001:db8:1:2::1").await, begin("2001:db8:1:2::2").await];
        let from = |address: &str| world.nobody().from(address.parse::<IpAddr>().unwrap());

        let asked = Arc::new(AtomicBool::new(false));
        let unread = stream::once({
            let asked = asked.clone();
            async move {
                asked.store(true, Ordering::Relaxed);
                Ok::<_, Infallible>(Vec::new())
            }
        });
        let request = upload_from("2001:db8:1:2::3", Body::from_stream(unread));
        world.node.router.clone().oneshot(request).await.unwrap();
        assert!(!asked.load(Ordering::Relaxed), "refused before its body is read");
        from("2001:db8:1:2::4").upload(&png()).await.refused(1002);
        from("2001:db8:1:2::4").send_code("x").await.refused(1002);
        from("2001:db8:1:3::1").upload(&png()).await.data();
        drop(hanging);
    }

    async fn bodies_in_memory_have_limited_room(database) {
        let plan = patient().limits(|limits| limits.body_memory = 40_000);
        let world = plan.build(database).await;
        // The first 16 KiB of each body do not count, so that a login always has room.
        let bytes = |counted: usize| vec![0; 16 * 1024 + counted];
        let first = begin(&world, "198.51.100.1", &bytes(15_000)).await;
        let from = |last: u8| world.nobody().from([198, 51, 100, last]);
        from(1).upload(&bytes(6_000)).await.refused(1002);
        from(1).upload(&png()).await.data();
        let second = begin(&world, "198.51.100.2", &bytes(15_000)).await;
        from(3).upload(&bytes(11_000)).await.refused(1002);
        from(3).upload(&png()).await.data();
        drop(second.0);
        second.1.await.unwrap();
        from(3).upload(&bytes(11_000)).await.refused(2410);
        drop(first);
    }

    async fn a_database_error_on_a_picture_is_not_kept_in_its_place(database) {
        let world = World::new(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let path = path(&anonymous(&world).upload(&png()).await);
        choose(&world, &user, &format!("{PUBLIC_URL}{path}")).await;
        world.node.app.store().write(HideUploads).await.unwrap();
        let answer = world.nobody().get(&path).await;
        assert_eq!((answer.status.as_u16(), answer.bytes.len()), (500, 0));
        assert_eq!(answer.headers["cache-control"], "no-store");
    }

    async fn bodies_without_a_file(database) {
        let world = World::new(database).await;
        let client = anonymous(&world);
        client.upload_as("photo", &png()).await.refused(2231);
        let no_end = b"--frontier\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc".to_vec();
        for (content_type, body) in [
            ("application/json", b"{}".to_vec()),
            ("multipart/form-data", b"--frontier--".to_vec()),
            ("multipart/form-data; boundary=frontier", Vec::new()),
            ("multipart/form-data; boundary=frontier", b"--frontier--\r\n".to_vec()),
            ("multipart/form-data; boundary=frontier", b"nonsense".to_vec()),
            ("multipart/form-data; boundary=frontier", no_end),
            ("image/png", png()),
        ] {
            let path = format!("{UPLOAD}?folder=avatar");
            let send = client.send(Method::POST, &path, content_type, body);
            let message = world.stores_nothing(send).await.refused(2231);
            assert!(message.contains("multipart/form-data in the field file"), "{message}");
        }
    }

    async fn uploads_are_limited_by_address_and_in_all(database) {
        let plan = Plan::new().limits(|limits| {
            limits.uploads_per_ip = 3;
            limits.uploads_in_all = 8;
        });
        let world = plan.build(database).await;
        for last in [1, 2] {
            let client = world.nobody().from([198, 51, 100, last]);
            for _ in 0..3 {
                client.upload(&png()).await.data();
            }
            // Requests that are refused for their form count as well.
            client.upload(b"").await.refused(1002);
            client.upload(&png()).await.refused(1002);
        }
        let client = world.nobody().from([198, 51, 100, 3]);
        client.upload(&png()).await.data();
        client.upload(&png()).await.data();
        client.upload(&png()).await.refused(1002);
        world.advance(Duration::from_secs(3600));
        client.upload(&png()).await.data();
    }

    async fn what_is_refused_for_all_is_not_counted_for_each(database) {
        let world = Plan::new().limits(|limits| limits.uploads_in_all = 1).build(database).await;
        for last in 1..=5 {
            let answer = world.nobody().from([198, 51, 100, last]).upload(&png()).await;
            assert_eq!(answer.code(), if last == 1 { 200 } else { 1002 }, "{answer}");
        }
        assert_eq!(world.rows("rate_buckets").await, 2);
    }

    async fn pictures_that_nobody_chose_have_limited_room(database) {
        let world = Plan::new().limits(|limits| limits.upload_orphan_bytes = 1_500).build(database).await;
        world.person("bob");
        let user = world.client().log_in(MINI, "bob").await;
        let answer = anonymous(&world).upload(&png()).await;
        anonymous(&world).upload(&png()).await.data();
        anonymous(&world).upload(&png()).await.refused(1002);
        choose(&world, &user, answer.data()["url"].as_str().unwrap()).await;
        anonymous(&world).upload(&png()).await.data();
    }

    async fn the_address_of_the_client_is_what_a_trusted_proxy_says(database) {
        let plan = Plan::new().limits(|limits| limits.uploads_per_ip = 1);
        let world =
            plan.web(|web| web.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]).build(database).await;
        let forwarded =
            |peer: [u8; 4], value: &str| world.nobody().from(peer).header("x-forwarded-for", value);
        forwarded([10, 0, 0, 1], "198.51.100.1").upload(&png()).await.data();
        forwarded([10, 0, 0, 2], "198.51.100.1").upload(&png()).await.refused(1002);
        forwarded([10, 0, 0, 2], "198.51.100.2, 10.9.9.9").upload(&png()).await.data();
        // What the client itself put at the front does not count…
        forwarded([10, 0, 0, 2], "192.0.2.99, 198.51.100.2").upload(&png()).await.refused(1002);
        // … and neither does the header from any other address.
        forwarded([198, 51, 100, 9], "192.0.2.1").upload(&png()).await.data();
        forwarded([198, 51, 100, 9], "192.0.2.2").upload(&png()).await.refused(1002);
    }

    async fn one_sender_is_one_however_its_address_is_written(database) {
        let plan = Plan::new().limits(|limits| limits.uploads_per_ip = 1);
        let world = plan
            .web(|web| web.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()])
            .build(database)
            .await;
        for (peer, forwarded, code) in [
            ("::ffff:198.51.100.1", "", 200),
            ("198.51.100.1", "", 1002),
            ("::ffff:10.0.0.1", "198.51.100.2", 200),
            ("10.0.0.1", "::ffff:198.51.100.2", 1002),
            ("10.0.0.1", "198.51.100.2:4711", 1002),
            ("10.0.0.1", "198.51.100.2, ::ffff:10.0.0.9", 1002),
            ("10.0.0.1", "198.51.100.2, 10.0.0.9:80, [fd00::1]:80", 1002),
            // IPv6: a client that has one address has the whole network.
            ("2001:db8:1:2::1", "", 200),
            ("2001:db8:1:2:ffff::9", "", 1002),
            ("10.0.0.1", "2001:db8:1:2::3", 1002),
            ("10.0.0.1", "[2001:db8:1:2::4]", 1002),
            ("10.0.0.1", "[2001:db8:1:2::5]:4711", 1002),
            ("10.0.0.1", "[2001:db8:1:3::5]:4711", 200),
        ] {
            let peer: IpAddr = peer.parse().unwrap();
            let client = world.nobody().from(peer).header("x-forwarded-for", forwarded);
            assert_eq!(client.upload(&png()).await.code(), code, "{peer} {forwarded}");
        }
    }

    async fn names_lead_nowhere_else(database) {
        let world = World::new(database).await;
        for name in ["x", "..%2f..%2fetc%2fpasswd", "%00", "%ff", &"a".repeat(3000), "a.png%20"] {
            let status = served(&world, &format!("/uploads/{name}")).await;
            assert!(status == 404 || status == 400, "{name}: {status}");
        }
    }
}
