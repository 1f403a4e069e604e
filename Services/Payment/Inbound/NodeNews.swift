package import PaymentContract

/// Reads what a node of ours tells: that something has happened. Whatever else it says is not believed, let alone
/// amounts: the chain is read for that.
package struct NodeNews: NewsReader {
    package init() {}

    package func news(in body: [UInt8]) throws(ProviderFault) -> ProviderNews { .activity }
}
