//! Tests of the workspace as a whole, and of the program as a process.

#![cfg(test)]

mod acme;
mod administering;
mod applying;
mod architecture;
mod dev;
mod doctor;
mod documents;
mod durability;
mod importing;
mod logs;
mod moving;
mod operations;
mod output;
mod passwords;
mod shutdown;
mod slow_clients;
mod starting;
mod support;
mod three_nodes;
mod tls;
