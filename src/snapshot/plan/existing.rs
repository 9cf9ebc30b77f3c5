//! What exists on the target under the names that a copy needs.

use crate::model::QualifiedName;
use crate::postgres::{PgError, Session};
use crate::schema::{Along, DescribeError, Describer, ObjectChange, Oids, Sequence, Table, Type};

const EXISTING: &str = include_str!("../../../assets/sql/target/existing.sql");

/// Describes the objects of the target that are called as these are: tables with all that is theirs,
/// sequences, types and schemas; and all functions, views and so on.
pub(crate) async fn existing(
    target: &Session,
    wanted: &[&ObjectChange],
) -> Result<Vec<ObjectChange>, DescribeError> {
    let describer = Describer::temporary(target)
        .await
        .map_err(DescribeError::Ask)?;
    existing_by(&describer, target, wanted).await
}

/// As [`existing`], by somebody who is ready to describe: the session may be in a transaction that only
/// reads.
pub(crate) async fn existing_by(
    describer: &Describer<'_>,
    target: &Session,
    wanted: &[&ObjectChange],
) -> Result<Vec<ObjectChange>, DescribeError> {
    let names = Names::of(wanted);
    let oids = names.find(target, describer).await;
    describer.describe(&oids.map_err(DescribeError::Ask)?).await
}

#[derive(Default)]
struct Names {
    relations: Vec<QualifiedName>,
    types: Vec<QualifiedName>,
    schemas: Vec<String>,
}

impl Names {
    fn of(wanted: &[&ObjectChange]) -> Self {
        let mut names = Self::default();
        for object in wanted {
            match object {
                ObjectChange::Schema(i) => names.schemas.extend(i.known().map(|s| s.name.clone())),
                ObjectChange::Table(i) => {
                    names.relations.extend(i.known().map(Table::qualified_name));
                }
                ObjectChange::Sequence(i) => {
                    names
                        .relations
                        .extend(i.known().map(Sequence::qualified_name));
                }
                ObjectChange::Type(i) => names.types.extend(i.known().map(Type::qualified_name)),
                ObjectChange::Index(_) | ObjectChange::Constraint(_) | ObjectChange::Object(_) => {}
            }
        }
        names
    }

    async fn find(&self, target: &Session, describer: &Describer<'_>) -> Result<Oids, PgError> {
        let split = |names: &[QualifiedName]| -> (Vec<String>, Vec<String>) {
            names
                .iter()
                .map(|n| (n.schema.to_string(), n.name.to_string()))
                .unzip()
        };
        let (relation_schemas, relations) = split(&self.relations);
        let (type_schemas, types) = split(&self.types);
        let row = target
            .row(
                EXISTING,
                &[
                    &relation_schemas,
                    &relations,
                    &type_schemas,
                    &types,
                    &self.schemas,
                ],
            )
            .await?;
        let oids = |at| {
            let found: Option<Option<Vec<u32>>> = row.as_ref().map(|row| row.get(at));
            found.flatten().unwrap_or_default()
        };
        let found = describer.needed(&oids(0), &Along::Nothing).await?;
        let (others, indexes) = describer.others().await?;
        let relations = [oids(1), indexes].concat();
        Ok(found.and(relations, oids(2), oids(3)).and_others(others))
    }
}
