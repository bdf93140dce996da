//! Files of users to import. They are written row by row, so their size does not matter here either.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;

use crate::database::Stored;
use crate::world::REGISTER_SOURCE;

/// The format of a file.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One object per line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
}

impl Format {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Format::Jsonl => "jsonl",
            Format::Csv => "csv",
        }
    }

    /// Writes the users to a file in this folder.
    pub(super) fn write(self, folder: &Path, users: impl Iterator<Item = Stored>) -> Result<PathBuf> {
        let path = folder.join(format!("users.{}", self.name()));
        let mut file = BufWriter::new(File::create(&path)?);
        if self == Format::Csv {
            writeln!(
                file,
                "id,phone,phoneProof,nickname,photo,loginsCount,lastLogin,createdAt,registerSource,openid,unionid"
            )?;
        }
        for user in users {
            match self {
                Format::Jsonl => write_object(&mut file, &user)?,
                Format::Csv => write_record(&mut file, &user)?,
            }
        }
        file.into_inner()?.sync_all()?;
        Ok(path)
    }
}

fn write_object(file: &mut BufWriter<File>, user: &Stored) -> Result<()> {
    let Stored { id, phone, shown, logins_count, last_login_at, created_at, openid, unionid } = user;
    let (nickname, photo) = shown.as_ref().map(|(nickname, photo)| (nickname, photo)).unzip();
    let row = json!({
        "id": id,
        "phone": phone,
        "phoneProof": phone.as_ref().map(|_| "wechat"),
        "nickname": nickname,
        "photo": photo,
        "loginsCount": logins_count,
        "lastLogin": last_login_at,
        "createdAt": created_at,
        "registerSource": REGISTER_SOURCE,
        "identities": [{ "type": "openid", "value": openid }, { "type": "unionid", "value": unionid }],
    });
    serde_json::to_writer(&mut *file, &row)?;
    Ok(file.write_all(b"\n")?)
}

/// Writes a CSV record. No value contains a comma, a quotation mark or a line break.
fn write_record(file: &mut BufWriter<File>, user: &Stored) -> Result<()> {
    let Stored { id, phone, shown, logins_count, last_login_at, created_at, openid, unionid } = user;
    let (phone, proof) = phone.as_ref().map_or(("", ""), |phone| (phone, "wechat"));
    let (nickname, photo) = shown.as_ref().map_or(("", ""), |(nickname, photo)| (nickname, photo));
    writeln!(
        file,
        "{id},{phone},{proof},{nickname},{photo},{logins_count},{last_login_at},{created_at},{REGISTER_SOURCE},\
         {openid},{unionid}"
    )?;
    Ok(())
}
