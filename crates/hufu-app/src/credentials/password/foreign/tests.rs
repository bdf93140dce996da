use super::*;

fn verifies(text: &str, password: impl AsRef<[u8]>) -> bool {
    let stored = StoredPassword::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let again = StoredPassword::parse(&stored.to_string()).expect("what is written can be read");
    assert_eq!(stored.to_string(), again.to_string());
    assert!(!again.verify(b"another password", &mut Memory::default()).unwrap(), "{text}");
    again.verify(password.as_ref(), &mut Memory::default()).unwrap()
}

fn phc(id: &str, parameters: &[(&str, u32)], salt: &str, hash: &str) -> String {
    phc::format(id, None, parameters, salt.as_bytes(), &hex::decode(hash).unwrap())
}

/// From the test program of the Argon2 reference implementation.
#[test]
fn argon2() {
    let id = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    assert!(verifies(id, "password"));
    assert_eq!(StoredPassword::parse(id).unwrap().to_string(), id);
    let old = "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ";
    assert!(verifies(old, "password"));
    assert_eq!(StoredPassword::parse(old).unwrap().to_string(), old);
}

/// From the tests of crypt_blowfish (Openwall) and of jBCrypt.
#[test]
fn bcrypt() {
    for (text, password) in [
        ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", b"U*U".as_slice()),
        ("$2b$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", b"U*U*"),
        ("$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", b""),
        ("$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", b"\xa3"),
        (
            "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
            b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
        ),
    ] {
        assert!(verifies(text, password), "{text}");
        assert_eq!(StoredPassword::parse(text).unwrap().to_string(), text);
    }
}

/// RFC 7914 section 12.
#[test]
fn scrypt() {
    let text = phc(
        "scrypt",
        &[("ln", 14), ("r", 8), ("p", 1)],
        "SodiumChloride",
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2\
         d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
    );
    assert!(verifies(&text, "pleaseletmein"));
    let text = phc(
        "scrypt",
        &[("ln", 10), ("r", 8), ("p", 16)],
        "NaCl",
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162\
         2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
    );
    assert!(verifies(&text, "password"));
}

/// RFC 6070 for SHA-1, RFC 7914 section 11 for SHA-256.
#[test]
fn pbkdf2() {
    let text =
        phc("pbkdf2-sha1", &[("i", 4096), ("l", 20)], "salt", "4b007901b765489abead49d926f721d065a429c1");
    assert!(verifies(&text, "password"));
    // With one iteration. Only the first output block, which does not depend on the second.
    let hash = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc";
    assert!(verifies(&phc("pbkdf2-sha256", &[("i", 1)], "salt", hash), "passwd"));
    let text = phc(
        "pbkdf2-sha256",
        &[("i", 80_000), ("l", 64)],
        "NaCl",
        "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56\
         a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
    );
    assert!(verifies(&text, "Password"));
}

/// Generated with Django, and for passlib's form with Python's hashlib.
#[test]
fn pbkdf2_as_django_and_passlib_write_it() {
    let django = "pbkdf2_sha256$20000$seasalt$oBSd886ysm3AqYun62DOdin8YcfbU1z9cksZSuLP9r0=";
    assert!(verifies(django, "lètmein"));
    assert_eq!(
        StoredPassword::parse(django).unwrap().to_string(),
        "$pbkdf2-sha256$i=20000,l=32$c2Vhc2FsdA$oBSd886ysm3AqYun62DOdin8YcfbU1z9cksZSuLP9r0"
    );
    assert!(verifies("pbkdf2_sha1$260000$seasalt2$wAibXvW6jgvatCdONi6SMJ6q7mI=", "lètmein"));
    let passlib = "$pbkdf2-sha512$25$z80ghJXVZe9m59/5.Ydk2g$\
                   znkmrf9CTby0VYBgry1jQgrZDg0/9AlkF.idd8.wlgShaYOgXmdaGukgwnrPcbdUEgUw3KZaS0akecmwijzYOw";
    assert!(verifies(passlib, "password"));
}

fn refused(text: &str) -> ForeignHashError {
    StoredPassword::parse(text).map(|stored| stored.to_string()).unwrap_err()
}

#[test]
fn what_is_no_hash_is_refused_with_the_reason() {
    for text in [
        "",
        "$",
        "$$",
        "password",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$salt$hash",
        "$2x$05$x",
        "$2$05$x",
        "{SSHA}abc",
        "argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$c29tZXNhbHQ",
        "$pbkdf2_sha256$1$salt$x",
        "pbkdf2-sha256$1$salt$x",
        "$pbkdf2-md5$1$salt$hash",
        "2a$05$x",
    ] {
        assert_eq!(refused(text), ForeignHashError::UnknownScheme, "{text}");
    }
    let hash = "AAAAAAAAAAAAAAAAAAAAAA";
    for text in [
        "$argon2id$",
        &format!("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ${hash}$more"),
        &format!("$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQ${hash}"),
        &format!("$argon2id$v=19$m=64,t=1$c29tZXNhbHQ${hash}"),
        &format!("$argon2id$v=19$m=64,t=1,p=1,keyid=1$c29tZXNhbHQ${hash}"),
        &format!("$argon2id$v=19$m=64,t=1,p=1,p=1$c29tZXNhbHQ${hash}"),
        &format!("$argon2id$v=19$m=064,t=1,p=1$c29tZXNhbHQ${hash}"),
        &format!("$argon2id$v=19$m=-1,t=1,p=1$c29tZXNhbHQ${hash}"),
        &format!("$argon2id$v=19$m=7,t=1,p=1$c29tZXNhbHQ${hash}"),
        &format!("$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ${hash}"),
        &format!("$argon2id$v=19$m=64,t=1,p=0$c29tZXNhbHQ${hash}"),
        &format!("$argon2id$v=19$m=64,t=1,p=1$c2FsdA${hash}"),
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$c2hvcnQ",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$密码",
        "$2b$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$+5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
        "$2b$05$CCCCCCCCCCCCCCCCCCCC密码密码密码密码密码密码",
        "$2b$05$",
        &format!("$scrypt$ln=0,r=8,p=1$c2FsdA${hash}"),
        &format!("$scrypt$ln=10,r=0,p=1$c2FsdA${hash}"),
        &format!("$scrypt$ln=10,r=8,p=0$c2FsdA${hash}"),
        &format!("$scrypt$v=1$ln=10,r=8,p=1$c2FsdA${hash}"),
        &format!("$pbkdf2-sha256$i=0$c2FsdA${hash}"),
        &format!("$pbkdf2-sha256$i=1,l=32$c2FsdA${hash}"),
        &format!("$pbkdf2-sha256$l=16$c2FsdA${hash}"),
        &format!("$pbkdf2-sha256$x$c2FsdA${hash}"),
        &format!("$pbkdf2-sha256$99999999999$c2FsdA${hash}"),
        "$pbkdf2-sha256$1$c2FsdA$",
        "pbkdf2_sha256$1$salt",
        &format!("pbkdf2_sha256$1$sa$lt${hash}"),
        &"$".repeat(3000),
    ] {
        assert!(matches!(refused(text), ForeignHashError::Malformed { .. }), "{text}: {:?}", refused(text));
    }
}

#[test]
fn a_hash_that_would_burn_the_server_is_refused() {
    let hash = "AAAAAAAAAAAAAAAAAAAAAA";
    let long = phc::BASE64.encode([0; 512]);
    for (text, parameter) in [
        (format!("$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ${hash}"), "memory in KiB"),
        (format!("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ${hash}"), "memory in KiB"),
        (format!("$argon2id$v=19$m=262144,t=5,p=1$c29tZXNhbHQ${hash}"), "memory in KiB times passes"),
        (format!("$argon2id$v=19$m=8,t=4294967295,p=1$c29tZXNhbHQ${hash}"), "memory in KiB times passes"),
        (format!("$argon2id$v=19$m=65536,t=1,p=65$c29tZXNhbHQ${hash}"), "lanes"),
        ("$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(), "the cost"),
        ("$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(), "the cost"),
        (format!("$scrypt$ln=19,r=8,p=1$c2FsdA${hash}"), "memory in bytes times p"),
        (format!("$scrypt$ln=64,r=1,p=1$c2FsdA${hash}"), "memory in bytes times p"),
        (format!("$scrypt$ln=4294967295,r=4294967295,p=4294967295$c2FsdA${hash}"), "memory in bytes times p"),
        (format!("$scrypt$ln=1,r=1,p=4294967295$c2FsdA${hash}"), "memory in bytes times p"),
        (format!("$scrypt$ln=18,r=8,p=2$c2FsdA${hash}"), "memory in bytes times p"),
        (format!("$pbkdf2-sha256$i=5000001$c2FsdA${hash}"), "iterations of all blocks"),
        (format!("$pbkdf2-sha512$i=1000000$c2FsdA${long}"), "iterations of all blocks"),
        (format!("pbkdf2_sha256$4294967295$salt${hash}"), "iterations of all blocks"),
    ] {
        match refused(&text) {
            ForeignHashError::TooCostly { parameter: found, value, most, .. } => {
                assert_eq!(found, parameter, "{text}");
                assert!(value > most, "{text}");
            }
            other => panic!("{text}: {other}"),
        }
    }
}

#[test]
fn neither_debug_nor_errors_show_the_hash() {
    let text = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    assert_eq!(format!("{:?}", StoredPassword::parse(text).unwrap()), "StoredPassword(bcrypt, redacted)");
    assert!(!refused("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRG").to_string().contains("E5YPO9"));
}

/// What decides how long a hash takes is told from its text, and a decoy of it takes as long.
#[test]
fn schemes_and_their_decoys() {
    let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (scheme, rest) in [
        ("$argon2id$v=19$m=19456,t=2,p=1$", format!("c29tZXNhbHQ${hash}")),
        ("$argon2i$m=4096,t=3,p=1$", format!("c29tZXNhbHQ${hash}")),
        ("$2a$05$", "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned()),
        ("$scrypt$ln=13,r=8,p=1$", format!("c29tZXNhbHQ${hash}")),
        ("$pbkdf2-sha256$i=29000,l=32$", format!("c29tZXNhbHQ${hash}")),
        ("$pbkdf2-sha1$i=29000,l=64$", format!("c29tZXNhbHQ${}", phc::BASE64.encode([7; 64]))),
    ] {
        let stored = StoredPassword::parse(&format!("{scheme}{rest}")).unwrap();
        assert_eq!(stored.scheme(), scheme);
        let decoy = StoredPassword::decoy(scheme).unwrap();
        assert_eq!(decoy.scheme(), scheme);
    }
    for unknown in ["", "$", "$md5$", "$argon2id$v=19$m=19456,t=2$"] {
        assert!(StoredPassword::decoy(unknown).is_none(), "{unknown}");
    }
}
