//! stub
use crate::model::*; use crate::postgres::{Session,PgError};
#[derive(Debug, thiserror::Error)] #[error("x")] pub struct SchemaError;
impl Classify for SchemaError { fn class(&self)->ErrorClass{ErrorClass::Bug} }
pub struct Entry { pub id:String, pub version:i64, pub schema_name:String, pub created_at:String, pub tag:String, pub statement:String }
impl Entry { pub fn from_tuple(_:&Relation,_:&Tuple)->Result<Self,SchemaError>{Err(SchemaError)} pub fn object_names(&self)->Vec<String>{vec![]} pub fn before_after(&self)->String{String::new()} }
pub struct Plan { pub steps: Vec<Step>, pub commit_after: bool, pub outside: bool, pub not_applied: Vec<NotApplied>, pub relations: Vec<RelationTouch> }
pub struct Step { pub object: String, pub sql: String }
pub struct NotApplied { pub object: String, pub reason: String }
pub struct RelationTouch { pub oid:u32, pub before:Option<QualifiedName>, pub after:Option<QualifiedName> }
pub fn plan(_:&Entry,_:&dyn Fn(&QualifiedName)->bool)->Result<Plan,SchemaError>{Err(SchemaError)}
pub struct RowsMessage { pub relation: Relation, pub first: bool, pub last: bool, pub too_large: bool, pub rows: Vec<Tuple> }
impl RowsMessage { pub const PREFIX:&str="pgstream.rows"; pub fn parse(_:&[u8])->Result<Self,SchemaError>{Err(SchemaError)} }
pub async fn mark_acked(_:&Session,_:&[String])->Result<(),PgError>{Ok(())}
pub async fn unacked(_:&Session)->Result<Vec<String>,PgError>{Ok(vec![])}
