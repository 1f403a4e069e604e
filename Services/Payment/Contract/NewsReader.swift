/// Reads the news in a provider's webhooks.
package protocol NewsReader: Sendable {
    /// What a webhook, whose signature was right, tells. A kind that is not known is ``ProviderNews/nothing(_:)``.
    /// - Throws: ``ProviderFault/unusable(_:)`` for a body that is not what its kind promises.
    func news(in body: [UInt8]) throws(ProviderFault) -> ProviderNews
}
