import BillingCore
import PaymentDomain
import Testing

@Suite("Settlement files") struct SettlementFileTests {
    private static let head = "id,kind,currency,gross,fee,net,occurred_at"

    private static func faults(_ text: String) -> [String] {
        do {
            _ = try SettlementFile.read(text, provider: "bank", at: Settle.day)
            return []
        } catch {
            return error.faults.map { "\($0.line) \($0.column?.rawValue ?? "-") \($0.message)" }
        }
    }

    @Test("columns come in any order, quoted or not, with either line end") func reads() throws {
        let text = """
            kind,id,net,fee,gross,currency,occurred_at,own_reference,presentment_amount,presentment_currency,rate,available_at\r
            charge,"t,1",9.41,0.59,10.00,USD,2027-01-15T08:00:00Z,att_1,9.00,EUR,1.1111,2027-01-17T00:00:00Z\r

            refund,"t""2",-5,0,-5,JPY,2027-01-15T09:00:00+01:00,,,,,
            """
        let lines = try SettlementFile.read(text, provider: "bank", at: Settle.day)
        #expect(lines.count == 2)
        #expect(lines[0].id == "t,1" && lines[0].gross == Settle.usd(1_000) && lines[0].fee == Settle.usd(59))
        #expect(lines[0].asked == Money(minor: 900, currency: .eur) && lines[0].references.own == "att_1")
        #expect(lines[0].presentment?.rate == ExactDecimal("1.1111") && lines[0].availableAt != nil)
        #expect(lines[1].id == "t\"2" && lines[1].net.minor == -5 && lines[1].net.currency.code == "JPY")
        #expect(lines[1].occurredAt == Settle.day && lines[1].references == SettlementLine.References())
    }

    @Test("every fault is told with its line and column, and one bad line keeps all out") func faults() {
        let text = """
            \(Self.head)
            t1,charge,USD,10.00,0.59,9.41,2027-01-15T08:00:00Z
            t2,payment,usd,ten,0.59,9.411,yesterday
            t1,charge,USD,-10.00,0,-10.00,2027-01-15T08:00:00Z
            t3,charge,USD,10.00,0.59,9.40,2027-01-15T08:00:00Z
            t4,charge
            ,charge,USD,10.001,0,99999999999999999999,2027-01-15T08:00:00Z
            t1,charge,USD,10.00,0.59,9.41,2027-01-15T08:00:00Z
            """
        #expect(
            Self.faults(text) == [
                "3 kind must be one of charge, refund, dispute, fee, payout, adjustment, dispute_reversal, payout_failure",
                "3 currency is not an active ISO 4217 currency code in capitals",
                "3 occurred_at is not an RFC 3339 time such as 2027-01-31T00:00:00Z",
                "4 gross has the wrong sign for a charge", "5 net is not gross less fee",
                "6 - has 2 fields, and there are 7 columns", "7 id is empty",
                "7 gross has more than the 2 decimals of USD", "7 net is too large: the most is 10000000000000.00 USD",
                "8 id is the id of line 2 too",
            ])
    }

    @Test(
        "an amount that nobody can have meant is refused by line and column, whichever it is",
        arguments: [
            ("gross", "10000000000000.01,0,10000000000000.01,,,"), ("fee", "0,10000000000000.01,-10000000000000.01,,,"),
            ("net", "0,0,-92233720368547758.08,,,"), ("gross", "-92233720368547758.08,0,-92233720368547758.08,,,"),
            ("presentment_amount", "10.00,0,10.00,92233720368547758.07,EUR,"),
            ("presentment_amount", "-10.00,0,-10.00,-92233720368547758.08,EUR,"),
        ])
    func absurd(column: String, values: String) {
        let text = """
            id,kind,currency,occurred_at,gross,fee,net,presentment_amount,presentment_currency,rate
            t1,adjustment,USD,2027-01-15T08:00:00Z,10000000000000.00,0,10000000000000.00,,,
            t2,adjustment,USD,2027-01-15T08:00:00Z,\(values)
            """
        let faults: [String] = Self.faults(text)
        let currency: String = column == "presentment_amount" ? "EUR" : "USD"
        #expect(faults.first == "3 \(column) is too large: the most is 10000000000000.00 \(currency)", "\(faults)")
        #expect(faults.allSatisfy { $0.hasPrefix("3 ") }, "the largest amount that is one is taken")
    }

    @Test(
        "a head or quotes that cannot be read are refused",
        arguments: [
            ("", "1 - the line of column names is missing"),
            ("id,kind,currency,gross,fee,net", "1 occurred_at is missing"),
            ("\(head),id", "1 id is named twice"), ("\(head),colour", "1 - there is no column \"colour\""),
            ("\(head)\nt1,\"charge", "2 - a quote that is not closed"),
            ("\(head)\nt1,cha\"rge", "2 - a quote inside of an unquoted field"),
            ("\(head)\n\"t1\"x", "2 - text after a closing quote"),
            ("\(head)\rt1", "1 - a carriage return without a line feed"),
            (
                "\(head),rate\nt1,charge,USD,1,0,1,2027-01-15T08:00:00Z,1.1",
                "2 rate is given without a presentment amount"
            ),
            (
                "\(head),presentment_amount,presentment_currency\nt1,charge,USD,1,0,1,2027-01-15T08:00:00Z,1,",
                "2 presentment_currency goes with the other presentment column"
            ),
        ])
    func refused(text: String, fault: String) { #expect(Self.faults(text).contains(fault), "\(Self.faults(text))") }

    @Test("a head of more fields than there are columns is one fault, however many they are") func longHead() {
        let head = String(repeating: "x,", count: 100_000)
        #expect(Self.faults(head) == ["1 - has 100001 fields, and there are only 14 columns"])
    }

    @Test("a line may be dated up to a day ahead, as where the day alone is known, and no further") func future() {
        let text = """
            \(Self.head),available_at
            t1,fee,USD,-1.00,0,-1.00,2027-01-16T08:00:00Z,2027-03-01T00:00:00Z
            t2,fee,USD,-1.00,0,-1.00,2027-01-16T08:00:00.000001Z,
            t3,fee,USD,-1.00,0,-1.00,9999-12-31T23:59:59Z,
            """
        #expect(
            Self.faults(text) == [
                "3 occurred_at is more than a day in the future", "4 occurred_at is more than a day in the future",
            ])
    }

    @Test("a payout and its failure have a name, as one is found by the other's") func payouts() {
        let text = """
            \(Self.head),source
            t1,payout,USD,-10.00,0,-10.00,2027-01-15T08:00:00Z,po_1
            t2,payout,USD,-10.00,0,-10.00,2027-01-15T08:00:00Z,
            t3,payout_failure,USD,10.00,0,10.00,2027-01-15T08:00:00Z,
            t4,fee,USD,-1.00,0,-1.00,2027-01-15T08:00:00Z,
            """
        #expect(
            Self.faults(text) == [
                "3 source is needed for a payout: a payout and its failure are known by it",
                "4 source is needed for a payout_failure: a payout and its failure are known by it",
            ])
    }

    @Test("what a line was before its conversion is in another currency and has its sign") func presentments() throws {
        let head = "\(Self.head),presentment_amount,presentment_currency,rate"
        let start = "charge,USD,10.00,0,10.00,2027-01-15T08:00:00Z"
        let text = """
            \(head)
            t1,\(start),9.00,USD,
            t2,\(start),-9.00,EUR,
            t3,adjustment,USD,-10.00,0,-10.00,2027-01-15T08:00:00Z,9.00,EUR,1.1
            """
        #expect(
            Self.faults(text) == [
                "2 presentment_amount is in the currency of settlement and not the gross",
                "3 presentment_amount has another sign than the gross",
                "4 presentment_amount has another sign than the gross",
            ])
        let same = try SettlementFile.read("\(head)\nt1,\(start),10.00,USD,1", provider: "bank", at: Settle.day)
        #expect(same.map(\.presentment) == [nil])
    }
}
