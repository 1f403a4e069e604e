package import PaymentChains
package import Postgres

/// Amounts of base units are `numeric(78, 0)` in the database: all 256 bits fit.
extension BaseUnits: PostgresCodable {
    package var postgresValue: PostgresValue { PostgresValue(description) }

    package static func decode(_ bytes: UnsafeRawBufferPointer) throws -> BaseUnits {
        guard let units = BaseUnits(String(decoding: bytes, as: UTF8.self)) else {
            throw UnreadableRecord("not a number of base units")
        }
        return units
    }
}
