//! Where people come from: WeChat today.

pub(crate) mod wechat;
