import BillingCore
import Postgres
import Testing

private enum Colour: String { case red, green }

@Suite("SQL text and bound values") struct SQLTests {
    @Test("values become numbered parameters") func parameters() {
        let name: String = "O'Brien"
        let sql: SQL = "SELECT 1 WHERE a = \(name) AND b = \(7) AND c = \(true)"
        #expect(sql.text == "SELECT 1 WHERE a = $1 AND b = $2 AND c = $3")
        #expect(sql.values.map(\.text) == ["O'Brien", "7", "t"])
    }

    @Test("a string literal interpolated is a value and not SQL") func literalIsValue() {
        let sql: SQL = "SELECT \("x' OR 1=1 --")"
        #expect(sql.text == "SELECT $1")
        #expect(sql.values.map(\.text) == ["x' OR 1=1 --"])
    }

    @Test("joined pieces are renumbered") func joining() {
        let first: SQL = "a = \(1) AND b = \(2)"
        let second: SQL = " AND c = \(3) OR '$1' = \(4)"
        let sql: SQL = first + second
        #expect(sql.text == "a = $1 AND b = $2 AND c = $3 OR '$1' = $4")
        #expect(sql.values.map(\.text) == ["1", "2", "3", "4"])
    }

    @Test("a nested statement is renumbered behind what stands before it") func nesting() {
        let inner: SQL = "SELECT id FROM t WHERE x = \("i") AND y = \("j")"
        let sql: SQL = "SELECT \("a") FROM (\(inner)) AS q WHERE z = \("b")"
        #expect(sql.text == "SELECT $1 FROM (SELECT id FROM t WHERE x = $2 AND y = $3) AS q WHERE z = $4")
        #expect(sql.values.map(\.text) == ["a", "i", "j", "b"])
    }

    @Test("whether rows exist is asked in their own order, for the first one") func existence() {
        let rows: SQL = "SELECT id FROM t WHERE x = \(7) ORDER BY y"
        let sql: SQL = "SELECT \(true) AND \(SQL.exists(rows))"
        #expect(
            sql.text == "SELECT $1 AND EXISTS (SELECT FROM (SELECT id FROM t WHERE x = $2 ORDER BY y LIMIT 1) AS found)"
        )
    }

    @Test("renumbering survives two-digit numbers") func manyParameters() {
        let pieces: [SQL] = (1...12).map { "(\($0), \($0 * 10))" }
        let sql: SQL = "VALUES \(SQL.joined(pieces))"
        #expect(sql.values.count == 24)
        #expect(sql.text.hasSuffix("($21, $22), ($23, $24)"))
        let again: SQL = sql + sql
        #expect(again.text.hasSuffix("($45, $46), ($47, $48)"))
        #expect(again.values.count == 48)
    }

    @Test("names are quoted so that they stay names") func identifiers() {
        let sql: SQL = "SELECT * FROM \(identifier: "a\"; DROP TABLE b; --")"
        #expect(sql.text == "SELECT * FROM \"a\"\"; DROP TABLE b; --\"")
        #expect(sql.values.isEmpty)
    }

    @Test("raw text is inserted as it is") func raw() {
        let sql: SQL = "SELECT \(raw: "id, name") FROM t LIMIT \(5)"
        #expect(sql.text == "SELECT id, name FROM t LIMIT $1")
    }

    @Test("string enumerations bind their raw value, alone, optional and in arrays") func enumerations() {
        let none: Colour? = nil
        let sql: SQL = "\(Colour.red) \(none) \([Colour.red, .green])"
        #expect(sql.values.map(\.text) == ["red", nil, "{\"red\",\"green\"}"])
    }

    @Test("a description shows no values") func description() {
        let sql: SQL = "SELECT \("4242424242424242")"
        #expect("\(sql)" == "SELECT $1")
    }

    @Test("optional values bind NULL") func optionals() {
        let missing: Int? = nil
        let present: Int? = 3
        let sql: SQL = "\(missing) \(present)"
        #expect(sql.values.map(\.text) == [nil, "3"])
    }
}
