//! The structs of the Parquet format in a footer and in the header of a page, as far as the library reads them; see
//! `parquet.thrift` of the Parquet format.
//!
//! The library does not compare the type of a field with that of the format. In a damaged file it then takes other bytes
//! for lengths and counts than this program has checked. So all types are checked before.

use super::thrift::{Fields, Type};

const EMPTY: Type = Type::Struct(&[]);

/// `FileMetaData`, the footer.
pub(super) const FILE_META_DATA: &Fields = &[
    (1, Type::I32),
    (2, Type::List(&Type::Struct(SCHEMA_ELEMENT))),
    (3, Type::I64),
    (4, Type::List(&Type::Struct(ROW_GROUP))),
    (5, Type::List(&Type::Struct(KEY_VALUE))),
    (6, Type::Binary),
    (7, Type::List(&Type::Struct(COLUMN_ORDER))),
    (9, Type::Binary),
];

const SCHEMA_ELEMENT: &Fields = &[
    (1, Type::I32),
    (2, Type::I32),
    (3, Type::I32),
    (4, Type::Binary),
    (5, Type::I32),
    (6, Type::I32),
    (7, Type::I32),
    (8, Type::I32),
    (9, Type::I32),
    (10, Type::Struct(LOGICAL_TYPE)),
];

/// A union; types that have no parameters are empty structs.
const LOGICAL_TYPE: &Fields = &[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Type::Struct(&[(1, Type::I32), (2, Type::I32)])),
    (6, EMPTY),
    (7, Type::Struct(TIME)),
    (8, Type::Struct(TIME)),
    (10, Type::Struct(&[(1, Type::Byte), (2, Type::Boolean)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Type::Struct(&[(1, Type::Byte)])),
    (17, Type::Struct(&[(1, Type::Binary)])),
    (18, Type::Struct(&[(1, Type::Binary), (2, Type::I32)])),
];

const TIME: &Fields = &[(1, Type::Boolean), (2, Type::Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]))];

const KEY_VALUE: &Fields = &[(1, Type::Binary), (2, Type::Binary)];

const COLUMN_ORDER: &Fields = &[(1, EMPTY), (2, EMPTY)];

const ROW_GROUP: &Fields = &[
    (1, Type::List(&Type::Struct(COLUMN_CHUNK))),
    (2, Type::I64),
    (3, Type::I64),
    (4, Type::List(&Type::Struct(&[(1, Type::I32), (2, Type::Boolean), (3, Type::Boolean)]))),
    (5, Type::I64),
    (6, Type::I64),
    (7, Type::I16),
];

const COLUMN_CHUNK: &Fields = &[
    (1, Type::Binary),
    (2, Type::I64),
    (3, Type::Struct(COLUMN_META_DATA)),
    (4, Type::I64),
    (5, Type::I32),
    (6, Type::I64),
    (7, Type::I32),
    (9, Type::Binary),
];

const COLUMN_META_DATA: &Fields = &[
    (1, Type::I32),
    (2, Type::List(&Type::I32)),
    (3, Type::List(&Type::Binary)),
    (4, Type::I32),
    (5, Type::I64),
    (6, Type::I64),
    (7, Type::I64),
    (8, Type::List(&Type::Struct(KEY_VALUE))),
    (9, Type::I64),
    (10, Type::I64),
    (11, Type::I64),
    (12, Type::Struct(STATISTICS)),
    (13, Type::List(&Type::Struct(&[(1, Type::I32), (2, Type::I32), (3, Type::I32)]))),
    (14, Type::I64),
    (15, Type::I32),
    (16, Type::Struct(&[(1, Type::I64), (2, Type::List(&Type::I64)), (3, Type::List(&Type::I64))])),
    (17, Type::Struct(&[(1, Type::Struct(BOUNDING_BOX)), (2, Type::List(&Type::I32))])),
];

const STATISTICS: &Fields = &[
    (1, Type::Binary),
    (2, Type::Binary),
    (3, Type::I64),
    (4, Type::I64),
    (5, Type::Binary),
    (6, Type::Binary),
    (7, Type::Boolean),
    (8, Type::Boolean),
    (9, Type::I64),
];

const BOUNDING_BOX: &Fields = &[
    (1, Type::Double),
    (2, Type::Double),
    (3, Type::Double),
    (4, Type::Double),
    (5, Type::Double),
    (6, Type::Double),
    (7, Type::Double),
    (8, Type::Double),
];

/// `PageHeader`.
pub(super) const PAGE_HEADER: &Fields = &[
    (1, Type::I32),
    (2, Type::I32),
    (3, Type::I32),
    (4, Type::I32),
    (
        5,
        Type::Struct(&[
            (1, Type::I32),
            (2, Type::I32),
            (3, Type::I32),
            (4, Type::I32),
            (5, Type::Struct(STATISTICS)),
        ]),
    ),
    (6, EMPTY),
    (7, Type::Struct(&[(1, Type::I32), (2, Type::I32), (3, Type::Boolean)])),
    (
        8,
        Type::Struct(&[
            (1, Type::I32),
            (2, Type::I32),
            (3, Type::I32),
            (4, Type::I32),
            (5, Type::I32),
            (6, Type::I32),
            (7, Type::Boolean),
            (8, Type::Struct(STATISTICS)),
        ]),
    ),
];
