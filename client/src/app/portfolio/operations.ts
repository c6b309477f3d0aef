import { graphql } from '../../gql/gql.ts';

export const PortfolioChanges = graphql(`
  subscription PortfolioChanges {
    portfolio {
      id
      totalValue
      cash
      equity
      dayChange
      dayChangePercent
      timestamp
      positions {
        symbol
        quantity
        averagePrice
        marketPrice
        marketValue
        unrealizedPnl
        unrealizedPnlPercent
        dayChange
      }
    }
  }
`);

export const WhoAmI = graphql(`
  query WhoAmI {
    viewer {
      id
      name
      scopes
    }
  }
`);
