"""in_kaggle"""
