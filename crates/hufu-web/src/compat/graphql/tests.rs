use super::*;
#[test]
fn sdl() {
    println!("{}", schema(false).sdl());
}
