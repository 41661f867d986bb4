//! sample
use std::collections::HashMap;
mod world {
    #[derive(hotswap::Migrate, Default, Debug)]
    pub struct World { pub round: u64, #[migrate(was = "all")] pub players: Vec<super::Player>, #[migrate(was = "hp: u32", back = super::down)] pub health: u64,
       #[migrate(with = super::parse)] pub n: u16 }
}
#[derive(hotswap::Migrate, Default, Debug)]
pub struct Player { name: String, #[migrate(default = 100)] r#type: u32, sock: Option<std::net::TcpStream> }
#[derive(hotswap::Migrate, Debug)]
pub enum Event<T, const N: usize> where T: Clone { None, #[migrate(was = "Opened")] Open { #[migrate(default = 5)] since: u64, by: T }, Pair([T; N], HashMap<String, Vec<T>>) }
#[derive(hotswap::Migrate)]
pub enum Never {}
fn down(v: &u64) -> Result<u32, std::num::TryFromIntError> { u32::try_from(*v) }
fn parse(v: &String) -> Result<u16, std::num::ParseIntError> { v.parse() }
#[test]
fn t() {
    #[derive(hotswap::Migrate)]
    struct Inner<'a>(&'a str, u8);
    println!("{:#?}", <world::World as hotswap::Migrate>::schema());
    println!("{:#?}", <Event<u8, 3> as hotswap::Migrate>::schema());
    println!("{:?}", <Inner as hotswap::Migrate>::schema());
    println!("{:?}", <Never as hotswap::Migrate>::schema());
}
